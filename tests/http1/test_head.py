"""What a Host header may say. What may not stands in test_refusals, on real sockets."""

import pytest

from foregate.http1.head import HOST_BYTES_MAX, Refusal, judge


@pytest.mark.parametrize(
    "host",
    [
        b"a",
        b"A.example.com.",
        b"my_service.internal:8443",
        b"10.0.0.1:0",
        b"a:",
        b"[::1]",
        b"[2001:DB8::1]:443",
        b"[::ffff:10.0.0.1]",
        b"a." * 127 + b"a",
    ],
)
def test_what_names_one_host_is_taken(host: bytes) -> None:
    head = judge(b"GET", [(b"host", host)], "1.1")
    assert not isinstance(head, Refusal)
    assert head.host == host


def test_the_longest_host_is_255_bytes_with_its_port() -> None:
    longest = b"a." * 125 + b"abc:1"
    assert len(longest) == HOST_BYTES_MAX
    assert not isinstance(judge(b"GET", [(b"host", longest)], "1.1"), Refusal)
    assert isinstance(judge(b"GET", [(b"host", longest + b"0")], "1.1"), Refusal)
