"""What may be stored at all (RFC 9111 section 3)."""

import pytest

from foregate.gateway.cache.directives import cache_control
from foregate.gateway.cache.storable import unwanted_fields, why_not
from foregate.http1.headers import HeaderList


def reason(
    control: bytes = b"max-age=60",
    status: int = 200,
    *,
    headers: HeaderList | None = None,
    **more: bool,
) -> str:
    given = {"authorized": False, "store_cookies": False, "varies": False} | more
    return why_not(status, headers or [], cache_control(control), **given)


@pytest.mark.parametrize(
    ("control", "why"),
    [
        (b"max-age=60", ""), (b"max-age=60, no-store", "no_store"), (b"NO-STORE", "no_store"), (b"private", "private"),
        (b'private="x-a"', ""), (b"public, private", "private"), (b"no-cache", ""),
    ],
)  # fmt: skip
def test_a_prohibition_holds(control: bytes, why: str) -> None:
    assert reason(control) == why


def test_parts_and_confirmations_are_no_answers_to_keep() -> None:
    assert [reason(status=status) for status in (100, 206, 304)] == ["status"] * 3


def test_must_understand_is_for_those_who_do() -> None:
    assert reason(b"must-understand, no-store", 200) == ""
    assert reason(b"must-understand, max-age=60", 599) == "must_understand"
    assert reason(b"max-age=60", 599) == ""


def test_what_was_told_to_somebody_known_is_kept_only_where_the_service_says_so() -> None:
    assert reason(b"max-age=60", authorized=True) == "authorization"
    for allowed in (b"public", b"must-revalidate", b"s-maxage=60"):
        assert reason(b"max-age=60, " + allowed, authorized=True) == ""


def test_cookies_are_for_one_person() -> None:
    cookie: HeaderList = [(b"set-cookie", b"a=1")]
    assert reason(headers=cookie) == "set_cookie"
    assert reason(headers=cookie, store_cookies=True) == ""
    said = b'max-age=60, no-cache="Set-Cookie"'
    assert reason(said, headers=cookie) == ""
    assert unwanted_fields(cache_control(said)) == {b"set-cookie"}


def test_what_varies_by_everything_is_not_kept() -> None:
    assert reason(varies=True) == "vary"
