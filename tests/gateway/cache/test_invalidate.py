"""What a write makes void (RFC 9111 section 4.4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.cache.invalidate import URLS_MAX, urls


def void(status: int = 200, *fields: tuple[bytes, bytes]) -> list[bytes]:
    return urls("http", b"Shop.example", b"/a/b?x=1", status, list(fields))


@pytest.mark.parametrize(("status", "gone"), [(200, True), (204, True), (303, True), (404, False), (500, False)])
def test_only_a_write_that_succeeded_counts(status: int, gone: bool) -> None:
    assert bool(void(status)) is gone


def test_what_location_names_on_the_same_host_is_void_too() -> None:
    assert void(201, (b"location", b"/c"), (b"content-location", b"d?e=1")) == [b"/a/b?x=1", b"/c", b"/a/d?e=1"]
    assert void(201, (b"location", b"http://shop.EXAMPLE/c")) == [b"/a/b?x=1", b"/c"]


@pytest.mark.parametrize("elsewhere", [b"http://other.example/c", b"https://shop.example/c", b"//x/c", b"http://[bad/"])
def test_nobody_voids_another_hosts_answers(elsewhere: bytes) -> None:
    assert void(201, (b"location", elsewhere)) == [b"/a/b?x=1"]


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_no_location_breaks_it(values: list[bytes]) -> None:
    assert 1 <= len(void(200, *[(b"location", value) for value in values])) <= URLS_MAX
