"""Cache-Control, CDN-Cache-Control and Surrogate-Control, also as nobody should write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.cache.directives import (
    REMEMBERED_BYTES_MAX,
    SECONDS_MAX,
    cache_control,
    effective,
    surrogate,
    targeted,
)

TARGETS = (b"cdn-cache-control", b"surrogate-control")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"max-age=60", 60),
        (b"MaX-aGe=60", 60),
        (b'max-age="60"', 60),
        (b"max-age=0060", 60),
        (b"max-age=99999999999", SECONDS_MAX),
        (b"max-age=60, max-age=10", 10),  # the strictest of several
        (b"max-age=10, max-age=60", 10),
        (b"max-age=60, max-age=x", 0),
        (b"max-age='60'", 0),
        (b"max-age=-1", 0),
        (b"max-age=60.5", 0),
        (b"max-age=60s", 0),
        (b"max-age", 0),
        (b"max-age =60", 0),
        (b"max-age= 60", 0),
        (b'x="max-age=3600", max-age=1', 1),  # what stands in quotes is no directive
        (b'max-age=1, x="max-age=3600"', 1),
        (b'x="a\\", max-age=3600", max-age=1', 1),
        (b"s-maxage=60", None),
        (b"", None),
    ],
)
def test_seconds_are_read_strictly(value: bytes, seconds: int | None) -> None:
    assert cache_control(value).seconds(b"max-age") == seconds


def test_a_directive_may_be_for_some_fields_alone() -> None:
    said = cache_control(b'no-cache="Set-Cookie, X-A", private')
    assert said.has(b"no-cache")
    assert not said.whole(b"no-cache")
    assert said.fields(b"no-cache") == {b"set-cookie", b"x-a"}
    assert said.whole(b"private")


def test_a_targeted_field_that_is_no_dictionary_does_not_count() -> None:
    said = targeted(b"max-age=60, must-revalidate")
    assert said is not None
    assert said.seconds(b"max-age") == 60
    assert said.has(b"must-revalidate")
    for bad in (b"", b"max-age=", b"Max-Age=60", b"max-age=60 oops", b"=5"):
        assert targeted(bad) is None, bad
    last = targeted(b"max-age=60, max-age=10")
    assert last is not None
    assert last.seconds(b"max-age") == 10
    text = targeted(b'max-age="60"')  # a string is no integer (RFC 9213 section 2.1)
    assert text is not None
    assert text.seconds(b"max-age") == 0


def test_surrogates_take_what_is_for_them() -> None:
    assert surrogate(b"max-age=60;somebody-else") is None
    said = surrogate(b'max-age=60+10;foregate, content="ESI/1.0", no-store;somebody-else')
    assert said is not None
    assert (said.seconds(b"max-age"), said.seconds(b"stale-while-revalidate")) == (60, 10)
    assert not said.has(b"no-store")


def test_the_first_field_for_us_wins() -> None:
    both = [(b"cache-control", b"no-store"), (b"cdn-cache-control", b"max-age=5"), (b"surrogate-control", b"max-age=9")]
    said, aimed = effective(both, TARGETS)
    assert aimed
    assert said.seconds(b"max-age") == 5
    assert not said.has(b"no-store")
    said, aimed = effective([(b"cache-control", b"max-age=1"), (b"cdn-cache-control", b"!")], TARGETS)
    assert not aimed
    assert said.seconds(b"max-age") == 1
    said, aimed = effective(both, ())
    assert said.has(b"no-store")
    assert not aimed


@given(st.binary(max_size=80))
def test_no_value_breaks_the_reading(value: bytes) -> None:
    for read in (cache_control, targeted, surrogate):
        said = read(value)
        if said is not None:
            seconds = said.seconds(b"max-age")
            assert seconds is None or 0 <= seconds <= SECONDS_MAX


@given(st.lists(st.sampled_from([b"no-store", b"max-age=5", b"private", b'x="a,no-cache,b"', b" ", b"public"])))
def test_a_prohibition_is_never_overlooked(parts: list[bytes]) -> None:
    said = cache_control(b", ".join(parts))
    assert said.has(b"no-store") == (b"no-store" in parts)
    assert said.whole(b"private") == (b"private" in parts)
    assert not said.has(b"no-cache")


def test_what_clients_make_long_is_read_but_not_held() -> None:
    short, long = b"max-age=7", b"max-age=7," + b"x" * REMEMBERED_BYTES_MAX
    assert cache_control(short) is cache_control(short)
    assert cache_control(long).seconds(b"max-age") == 7
    assert cache_control(long) is not cache_control(long)
