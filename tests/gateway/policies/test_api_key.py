"""Who is asking, by API key."""

from collections.abc import Callable, Generator
from typing import Any

import pytest
from tests.gateway.policies.asking import ask, means

from foregate.gateway.policies.api_key import KEY_BYTES_MAX, ApiKeyPolicy, KeyRing, split_query
from foregate.gateway.policies.policy import Consumer, Place, Refuse
from foregate.kernel.secrets import hash_key, new_key
from foregate.wire.policies import ApiKeySource, Policies
from foregate.wire.snapshot import Key, Plan

PEPPER = b"pepper"
ACME = Consumer("k-acme", "acme")
RAW = b"fg_live_right"


def whole(building: Generator[None, None, KeyRing]) -> tuple[KeyRing, int]:
    slices = 0
    while True:
        try:
            next(building)
            slices += 1
        except StopIteration as done:
            return done.value, slices


def ring(*keys: Key, plans: tuple[Plan, ...] = (), before: KeyRing | None = None, slice_keys: int = 2) -> KeyRing:
    return whole(KeyRing.build(keys, plans, PEPPER, slice_keys, before))[0]


def key(raw: str, name: str = "acme", **more: Any) -> Key:
    return Key(f"id-{name}", name, hash_key(raw, PEPPER), **more)


def policy(**settings: Any) -> ApiKeyPolicy:
    known: Callable[[bytes], Consumer | None] = {RAW: ACME}.get
    return ApiKeyPolicy(ApiKeySource(**settings), means(consumers=known), Place())


# --- the ring -------------------------------------------------------------------------------------------------------


def test_a_key_is_found_by_what_the_client_sends_and_remembered() -> None:
    raw = new_key()
    keys = ring(key(raw, org="acme-org"))
    for _ in range(2):
        found = keys.find(raw.encode())
        assert found is not None
        assert found[:2] == ("id-acme", "acme-org")
    assert list(keys.remembered) == [raw.encode()]


@pytest.mark.parametrize("raw", [b"wrong", b"", b"\xff", b"x" * (KEY_BYTES_MAX + 1)])
def test_a_wrong_key_is_not_found_and_not_remembered(raw: bytes) -> None:
    keys = ring(key("right"))
    assert keys.find(raw) is None
    assert not keys.remembered


def test_the_scope_is_the_keys_own_policies_or_else_its_plans() -> None:
    gold = Plan("gold", Policies(priority=90))
    plain = Plan("plain")
    keys = ring(
        key("a", "own", plan="gold", policies=Policies(priority=1)),
        key("b", "planned", plan="gold"),
        key("c", "plain", plan="plain"),
        key("d", "none"),
        plans=(gold, plain),
    )
    found = [keys.find(raw) for raw in (b"a", b"b", b"c", b"d")]
    assert [consumer.scope for consumer in found if consumer] == ["key:id-own", "plan:gold", "", ""]
    assert [consumer.plan for consumer in found if consumer] == ["gold", "gold", "plain", ""]


def test_a_ring_is_built_in_slices() -> None:
    keys = tuple(key(f"raw{n}", f"n{n}") for n in range(10))
    built, slices = whole(KeyRing.build(keys, (), PEPPER, 3))
    assert slices == 4
    assert built.find(b"raw9") is not None


def test_the_same_keys_keep_the_ring_and_what_it_remembers() -> None:
    keys = [key(f"raw{n}", f"n{n}") for n in range(5)]
    before = ring(*keys)
    before.find(b"raw3")
    again = ring(*[key(f"raw{n}", f"n{n}") for n in range(5)], before=before)
    assert again is before


def test_a_revoked_key_is_forgotten_though_it_was_remembered() -> None:
    before = ring(key("a", "a"), key("b", "b"))
    assert before.find(b"b") is not None
    after = ring(key("a", "a"), before=before)
    assert after is not before
    assert after.find(b"b") is None


@pytest.mark.parametrize("change", [{"plan": "gold"}, {"org": "other"}, {"policies": Policies(priority=3)}])
def test_a_changed_key_makes_a_new_ring(change: dict[str, Any]) -> None:
    before = ring(key("a"))
    assert ring(key("a", **change), before=before) is not before


def test_a_plan_that_gets_policies_makes_a_new_ring() -> None:
    before = ring(key("a", plan="gold"), plans=(Plan("gold"),))
    after = ring(key("a", plan="gold"), plans=(Plan("gold", Policies(priority=3)),), before=before)
    found = after.find(b"a")
    assert found is not None
    assert found.scope == "plan:gold"


def test_a_key_is_found_by_its_name() -> None:
    keys = ring(key("a"))
    found = keys.named("acme")
    assert found is not None
    assert found.id == "id-acme"
    assert keys.named("nobody") is None


# --- where a key may stand ------------------------------------------------------------------------------------------


def test_the_ordinary_header() -> None:
    request = ask(headers=[(b"x-api-key", RAW)])
    assert policy().identify(request) == ACME
    assert not any(b"right" in line for line in request.kept)


def test_no_key_is_no_answer_and_a_wrong_one_is_refused() -> None:
    assert policy().identify(ask()) is None
    assert policy().identify(ask(headers=[(b"x-api-key", b"")])) is None
    refused = policy().identify(ask(headers=[(b"x-api-key", b"wrong")]))
    assert isinstance(refused, Refuse)
    assert refused.code == "key_invalid"
    assert refused.lines.startswith(b"www-authenticate: ApiKey ")


def test_a_header_of_another_name_is_removed_unless_kept() -> None:
    for keep in (False, True):
        request = ask(headers=[(b"x-token", RAW), (b"accept", b"*/*")])
        assert policy(header="x-token", keep=keep).identify(request) == ACME
        assert (b"x-token: " + RAW in request.kept) is keep
        assert b"accept: */*" in request.kept


@pytest.mark.parametrize("name", ["x-api-key", "x-token", "api_key"])
def test_any_header_can_be_kept(name: str) -> None:
    request = ask(headers=[(name.encode(), RAW)])
    assert policy(header=name, keep=True).identify(request) == ACME
    assert request.kept.count(name.encode() + b": " + RAW) == 1


def test_a_parameter_of_the_query_is_removed_unless_kept() -> None:
    for keep in (False, True):
        request = ask(path=b"/a?x=1&key=fg_live_right&y=2")
        assert policy(header=None, query="key", keep=keep).identify(request) == ACME
        assert request.query == (b"?x=1&key=fg_live_right&y=2" if keep else b"?x=1&y=2")


@pytest.mark.parametrize(
    ("query", "value", "rest"),
    [
        (b"?key=a", b"a", b""),
        (b"?key=a&key=b&x=1", b"a", b"?x=1"),
        (b"?k%65y=a%2Bb&x", b"a+b", b"?x"),
        (b"?keys=a", None, b"?keys=a"),
        (b"?key", b"", b""),
        (b"?", None, b"?"),
    ],
)
def test_every_spelling_of_the_parameter_is_taken_out(query: bytes, value: bytes | None, rest: bytes) -> None:
    assert split_query(query, b"key") == (value, rest)


def test_a_bearer_token_that_looks_like_a_key_is_one() -> None:
    request = ask(headers=[(b"authorization", b"bearer " + RAW)])
    assert policy(header=None, bearer=True).identify(request) == ACME
    assert not request.kept


def test_a_key_in_several_places_is_sent_on_from_none() -> None:
    asked = ask(
        path=b"/a?key=fg_live_right&x=1&k%65y=fg_live_other",
        headers=[
            (b"x-token", b""),
            (b"x-token", RAW),
            (b"authorization", b"Basic YTpi"),
            (b"authorization", b"BEARER  " + RAW),
            (b"authorization", b"bearer other"),
        ],
    )
    assert policy(header="x-token", query="key", bearer=True).identify(asked) == ACME
    assert asked.query == b"?x=1"
    assert list(asked.kept) == [b"authorization: Basic YTpi", b"authorization: bearer other"]


def test_what_is_no_key_is_left_when_another_method_has_let_it_in() -> None:
    asked = ask(path=b"/?key=a", headers=[(b"authorization", b"Bearer eyJ.a.b"), (b"x-token", b"a"), (b"a", b"b")])
    policy(header="x-token", query="key", bearer=True).strip(asked)
    assert (asked.query, list(asked.kept)) == (b"", [b"authorization: Bearer eyJ.a.b", b"a: b"])
    kept = asked.kept
    policy(header="x-token", query="key", bearer=True, keep=True).strip(asked)
    policy().strip(asked)
    assert asked.kept is kept


def test_other_bearer_tokens_are_left_for_other_methods() -> None:
    request = ask(headers=[(b"authorization", b"Bearer eyJ.a.b")])
    assert policy(header=None, bearer=True).identify(request) is None
    assert list(request.kept) == [b"authorization: Bearer eyJ.a.b"]


def test_the_first_place_that_holds_something_counts() -> None:
    request = ask(path=b"/?key=wrong", headers=[(b"x-api-key", RAW)])
    assert policy(query="key").identify(request) == ACME
    refused = policy(query="key").identify(ask(path=b"/?key=fg_live_right", headers=[(b"x-api-key", b"wrong")]))
    assert isinstance(refused, Refuse)
