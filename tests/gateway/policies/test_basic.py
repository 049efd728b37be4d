"""Who is asking, by user name and password."""

from base64 import b64encode

import pytest
from tests.gateway.policies.asking import ask, means

from foregate.gateway.policies.basic import BasicPolicy, credentials
from foregate.gateway.policies.policy import Consumer, Place, Refuse
from foregate.wire.policies import Basic

ACME = Consumer("k1", name="acme")
POLICY = BasicPolicy(Basic(realm='the "shop"\r\n'), means(consumers={b"fg_right:1": ACME}.get), Place())


def test_a_keys_name_and_the_key_itself_let_in_and_are_not_sent_on() -> None:
    request = ask(headers=[(b"authorization", b"bAsIc " + b64encode(b"acme:fg_right:1")), (b"accept", b"*/*")])
    assert POLICY.identify(request) == ACME
    assert list(request.kept) == [b"accept: */*"]


@pytest.mark.parametrize("pair", [b"acme:wrong", b"other:fg_right:1", b":fg_right:1", b"acme", b"", b"\xff:\xff"])
def test_anything_else_is_refused(pair: bytes) -> None:
    found = POLICY.identify(ask(headers=[(b"authorization", b"Basic " + b64encode(pair))]))
    assert isinstance(found, Refuse)
    assert found.code == "key_invalid"


def test_no_credentials_of_this_scheme_are_no_answer() -> None:
    assert POLICY.identify(ask()) is None
    assert POLICY.identify(ask(headers=[(b"authorization", b"Bearer abc")])) is None


@pytest.mark.parametrize("value", [b"Basic !!!", b"Basic YQ", b"Basic " + b"YTpi" * 1_000, b"Basic YTpi YTpi"])
def test_what_cannot_be_read_is_nobody(value: bytes) -> None:
    assert credentials(value) is None


def test_the_realm_cannot_break_out_of_its_line() -> None:
    assert POLICY.challenge == b"Basic realm=\"the 'shop'''\", charset=\"UTF-8\""
