"""Settings of these policies that contradict themselves do not load."""

import pytest

from foregate.wire.policies import Jwt, RequestTransform, ResponseTransform
from foregate.wire.settings import Settings

URL = "https://id.example.com/jwks"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (RequestTransform(), "changes nothing"),
        (RequestTransform(set_headers={"x": "${secret}"}), "${secret} is none of"),
        (RequestTransform(set_query={"x": "${query.a"}), "does not end"),
        (RequestTransform(set_body={"x": "${key.hash}"}), "${key.hash} is none of"),
        (ResponseTransform(add_headers={"x": "${}"}), "${} is none of"),
        (Jwt("i", jwks_url=URL, algorithms=("none",)), "must not be accepted"),
        (Jwt("i", jwks_url=URL, algorithms=("HS256",)), "must not be accepted"),
        (Jwt("i", jwks_url=URL, algorithms=("RS257",)), "RS257 is none of"),
        (Jwt("i", jwks_url=URL, algorithms=()), "accepts no algorithm"),
        (Jwt("i"), "either jwks_url or jwks"),
    ],
)
def test_what_is_wrong_is_said(settings: Settings, problem: str) -> None:
    assert problem in (settings.problem() or "")


def test_what_is_right_is_not_complained_about() -> None:
    assert RequestTransform(set_body={"n": 1, "by": "${key.id}"}).problem() is None
    assert ResponseTransform(remove_headers=("server",)).problem() is None
    assert Jwt("i", jwks_url=URL).problem() is None
