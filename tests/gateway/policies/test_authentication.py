"""Any of a route's methods will do; the first that finds credentials decides."""

import asyncio
from typing import Any

from tests.gateway.policies.asking import ask

from foregate.gateway.policies.authentication import Authentication, Found
from foregate.gateway.policies.policy import Ask, Consumer, NeedBody, Policy, Refuse, Switch
from foregate.gateway.request import Request

ACME = Consumer("k-acme")
GOLD = Consumer("k-gold", scope="plan:gold")


class Said(Policy):
    """A method that says what it is told to, in turn."""

    def __init__(self, name: str, *said: Found) -> None:
        self.name = name
        self.challenge = name.encode()
        self._said = list(said)
        self.asked = self.stripped = 0

    def identify(self, request: Request) -> Found:
        self.asked += 1
        return self._said.pop(0) if len(self._said) > 1 else self._said[0]

    def strip(self, request: Request) -> None:
        self.stripped += 1


class Chains:
    def of(self, scope: str) -> str:
        return f"chain of {scope}"


def asked() -> Any:
    request: Any = ask()
    request.chain = Chains()
    return request


async def nothing() -> None:
    return None


def test_a_known_consumer_passes() -> None:
    request = asked()
    assert Authentication([Said("api_key", ACME)]).admit(request) is None
    assert request.consumer == ACME
    assert request.outcomes is None


def test_one_with_policies_of_its_own_goes_on_with_them() -> None:
    for others in ([], [Said("jwt", None)]):
        assert Authentication([*others, Said("api_key", GOLD)]).admit(asked()) == Switch("chain of plan:gold")


def test_without_credentials_each_way_in_is_named() -> None:
    verdict = Authentication([Said("Basic", None), Said("Bearer", None)]).admit(asked())
    assert verdict == Refuse("key_missing", lines=b"www-authenticate: Basic\r\nwww-authenticate: Bearer\r\n")
    assert Authentication([Said("Basic", None)]).admit(asked()) == Refuse(
        "key_missing", lines=b"www-authenticate: Basic\r\n"
    )


def test_the_first_that_finds_credentials_decides() -> None:
    wrong, other = Said("api_key", Refuse("key_invalid")), Said("jwt", ACME)
    assert Authentication([Said("basic", None), wrong, other]).admit(asked()) == Refuse("key_invalid")
    assert other.asked == 0


def test_the_event_says_which_of_several_it_was() -> None:
    request = asked()
    Authentication([Said("api_key", None), Said("jwt", ACME)]).admit(request)
    assert request.outcomes == ["jwt:passed"]


def test_the_others_let_nothing_of_theirs_be_sent_on_and_only_after_a_success() -> None:
    methods = [Said("api_key", None), Said("jwt", ACME), Said("basic", None)]
    Authentication(methods).admit(asked())
    assert [method.stripped for method in methods] == [1, 0, 1]
    methods = [Said("api_key", Refuse("key_invalid")), Said("jwt", ACME)]
    Authentication(methods).admit(asked())
    assert [method.stripped for method in methods] == [0, 0]


def test_a_method_may_want_the_body_first() -> None:
    assert Authentication([Said("hmac", NeedBody(10))]).admit(asked()) == NeedBody(10)


def test_a_method_that_asks_is_asked_again_and_only_then_decides() -> None:
    request = asked()
    verdict = Authentication([Said("jwt", Ask(nothing()), ACME)]).admit(request)
    assert isinstance(verdict, Ask)
    assert not request.consumer.id
    assert asyncio.run(_of(verdict)) is None
    assert request.consumer == ACME


def test_after_asking_a_refusal_stays_a_refusal() -> None:
    verdict = Authentication([Said("jwt", Ask(nothing()), Refuse("token_invalid"))]).admit(asked())
    assert isinstance(verdict, Ask)
    assert asyncio.run(_of(verdict)) == Refuse("token_invalid")


def test_nobody_gets_in_by_asking_for_ever() -> None:
    second = nothing()
    verdict = Authentication([Said("jwt", Ask(nothing()), Ask(second))]).admit(asked())
    assert isinstance(verdict, Ask)
    assert asyncio.run(_of(verdict)) == Refuse("issuer_unavailable")
    second.close()


async def _of(verdict: Ask) -> Any:
    return await verdict.verdict
