"""The three forms of an HTTP date, and what is only nearly one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.cache.dates import http_date_s
from foregate.http1.date import http_date

AT = 784111777.0


@pytest.mark.parametrize(
    "text",
    [
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"Sun Nov  6 08:49:37 1994",
        b"SUN, 06 NOV 1994 08:49:37 gmt",
    ],
)
def test_all_three_forms_are_read(text: bytes) -> None:
    assert http_date_s(text) == AT


@pytest.mark.parametrize(
    "text",
    [
        b"0", b"", b"-1", b"Sun, 06 Nov 1994 08:49:37 UTC", b"Sun, 06 Nov 94 08:49:37 GMT",
        b"Sun 06 Nov 1994 08:49:37 GMT",
        b"Sun, 31 Feb 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 24:00:00 GMT", b"Sun, 6 Nov 1994 08:49:37 GMT",
        b"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", b"Sun, 00 Nov 1994 08:49:37 GMT",
    ],
)  # fmt: skip
def test_what_is_nearly_a_date_is_none(text: bytes) -> None:
    assert http_date_s(text) is None


@given(st.integers(0, 4_000_000_000))
def test_what_we_write_we_read(second: int) -> None:
    assert http_date_s(http_date(float(second))) == second


@given(st.binary(max_size=60))
def test_nothing_breaks_the_reading(text: bytes) -> None:
    http_date_s(text)
