"""An upstream cannot give a browser the console's session, however it spells the cookie."""

import pytest

from foregate.gateway.heads import answer_fields


@pytest.mark.parametrize(
    "value",
    [
        b"foregate_session=evil; Path=/",
        b"  foregate_session=evil",
        b"foregate_session =evil",
        b"\tforegate_session\t= evil",
        b"=foregate_session=evil",  # without a name: sent as its bare value
        b" = foregate_session=evil",
    ],
)
def test_a_cookie_of_the_consoles_name_is_dropped(value: bytes) -> None:
    assert b"foregate_session" not in answer_fields(200, [(b"set-cookie", value), (b"x", b"1")])


@pytest.mark.parametrize("value", [b"session=1", b"foregate_sessions=1", b"a=foregate_session=1", b"x"])
def test_other_cookies_pass(value: bytes) -> None:
    assert b"set-cookie: " + value + b"\r\n" in answer_fields(200, [(b"set-cookie", value), (b"x", b"1")])
