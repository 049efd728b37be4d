"""gRPC's statuses and time limits, as a table."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.gateway import grpc
from foregate.kernel.errors import ERRORS


def test_every_problem_of_ours_has_a_status_that_says_whose_fault_it_is() -> None:
    for spec in ERRORS.values():
        fields = dict(grpc.problem_fields(spec.status, spec.code, spec.title))
        status = int(fields[b"grpc-status"])
        assert 0 < status <= 16, spec.code
        assert fields[b"grpc-message"].startswith(spec.code.encode() + b": ")
        if spec.status in (502, 503):
            assert status in (grpc.UNAVAILABLE, grpc.INTERNAL), spec.code
    assert grpc.status_of(429, "rate_limited") == grpc.RESOURCE_EXHAUSTED
    assert grpc.status_of(413, "body_too_large") == grpc.RESOURCE_EXHAUSTED
    assert grpc.status_of(418, "unheard_of") == grpc.UNKNOWN


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"1H", 3600.0),
        (b"2M", 120.0),
        (b"3S", 3.0),
        (b"250m", 0.25),
        (b"10u", 1e-5),
        (b"99999999n", 0.099999999),
        (b"", None),
        (b"S", None),
        (b"-1S", None),
        (b"1", None),
        (b"1.5S", None),
        (b"100000000S", None),
        (b"1s", None),
    ],
)
def test_a_timeout_is_read_as_it_is_written(value: bytes, seconds: float | None) -> None:
    assert grpc.timeout_s(value) == (pytest.approx(seconds) if seconds is not None else None)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.text(max_size=40))
def test_a_message_is_plain_and_can_be_read_again(text: str) -> None:
    from urllib.parse import unquote_to_bytes

    encoded = grpc.encoded(text.encode())
    assert all(0x20 <= byte < 0x7F for byte in encoded)
    assert unquote_to_bytes(encoded) == text.encode()


def test_what_is_no_status_is_unknown() -> None:
    assert grpc.status_in([]) is None
    assert grpc.status_in([(b"grpc-status", b"14")]) == grpc.UNAVAILABLE
    assert grpc.status_in([(b"grpc-status", b"x")]) == grpc.UNKNOWN
    assert grpc.status_in([(b"grpc-status", b"1234")]) == grpc.UNKNOWN
