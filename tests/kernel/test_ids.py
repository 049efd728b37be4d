"""Identifiers."""

import pytest

from foregate.kernel import ids

GOOD = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_valid_traceparent_is_read() -> None:
    assert ids.parse_traceparent(GOOD) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "01")


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        GOOD.upper(),
        GOOD + b"-more",
        b"ff" + GOOD[2:],
        GOOD.replace(b"4bf92f3577b34da6a3ce929d0e0e4736", b"0" * 32),
        GOOD.replace(b"00f067aa0ba902b7", b"0" * 16),
    ],
)
def test_an_invalid_traceparent_is_ignored(bad: bytes) -> None:
    assert ids.parse_traceparent(bad) is None


def test_a_future_version_of_traceparent_may_say_more() -> None:
    assert ids.parse_traceparent(b"01" + GOOD[2:] + b"-more") is not None


@pytest.mark.parametrize("value", [b"a", b"A-1._~:/+=@", b"x" * 128])
def test_a_plain_request_id_is_taken(value: bytes) -> None:
    assert ids.valid_request_id(value)


@pytest.mark.parametrize("value", [b"", b"x" * 129, b"a b", b'a"b', b"a\n", "é".encode()])
def test_a_request_id_that_could_hurt_a_log_is_not_taken(value: bytes) -> None:
    assert not ids.valid_request_id(value)


def test_made_ids_have_their_form_and_differ() -> None:
    made = {ids.new_request_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(value) == 32 and ids.valid_request_id(value.encode()) for value in made)
    assert ids.parse_traceparent(f"00-{ids.new_trace_id()}-{ids.new_span_id()}-01".encode())


def test_the_ids_of_one_request_are_of_full_length_and_all_different() -> None:
    seen: set[str] = set()
    for _ in range(1_000):
        request_id, trace_id, span_id = ids.new_request_ids()
        assert ids.parse_traceparent(f"00-{trace_id}-{span_id}-01".encode()) == (trace_id, span_id, "01")
        assert len(request_id) == 32
        seen |= {request_id, trace_id, span_id}
    assert len(seen) == 3_000
