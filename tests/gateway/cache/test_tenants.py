"""Two tenants never share an answer, whatever they send, unless the cache is declared public."""

import random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.cache.origin import Asked, Said, cached, get
from tests.gateway.world import PEPPER, route, run

from foregate.gateway.cache.asked import Asked as Read
from foregate.gateway.cache.key import Keys
from foregate.gateway.policies.policy import Consumer
from foregate.kernel.secrets import hash_key
from foregate.wire.cache import Cache
from foregate.wire.policies import ApiKeySource, RequestTransform
from foregate.wire.snapshot import Key

words = st.text(st.sampled_from("ab:\n\0é"), max_size=4)
lines = st.lists(
    st.sampled_from(
        [b"accept: x", b"cookie: a=1", b"cookie: a=2", b"authorization: Bearer t", b"x-api-key: k", b"x-tenant: a"]
    ),
    max_size=4,
)


def primary(settings: Cache, consumer: Consumer, kept: list[bytes], host: bytes = b"h", path: bytes = b"/p") -> bytes:
    keys = Keys(settings)
    sent = tuple(kept)
    request: Any = SimpleNamespace(
        kept=sent,
        exchange=SimpleNamespace(client_certificate=None, upgrade=b""),
        fields=SimpleNamespace(kept=sent),
        noted={},
        consumer=consumer,
        route=SimpleNamespace(name="r"),
        chain=SimpleNamespace(service_name="s"),
        proto="http",
        host=host,
        path=path,
        query=b"",
    )
    return keys.primary(request, Read(request, True, keys.private))


@given(words, words, words, words, lines, lines)
def test_different_organisations_have_different_keys(
    org: str, key: str, other_org: str, other_key: str, sent: list[bytes], other_sent: list[bytes]
) -> None:
    one, other = Consumer(key, org), Consumer(other_key, other_org)
    for share in ("org", "key"):
        same_who = org == other_org and (key == other_key or (share == "org" and bool(org)))
        settings = Cache(share=cast(Any, share))
        if not same_who:
            assert primary(settings, one, sent) != primary(settings, other, other_sent)
        if same_who and sent == other_sent:
            assert primary(settings, one, sent) == primary(settings, other, other_sent)


@given(lines, lines, words, words)
def test_who_shows_the_service_other_credentials_has_another_key(
    sent: list[bytes], other_sent: list[bytes], org: str, key: str
) -> None:
    shown = [sorted(line for line in each if not line.startswith((b"accept", b"x-t"))) for each in (sent, other_sent)]
    one = primary(Cache(), Consumer(key, org), sent)
    other = primary(Cache(), Consumer(key, org), other_sent)
    if shown[0] != shown[1]:
        assert one != other


@given(words, words, words, words, st.sampled_from([b"h", b"H", b"g"]), st.sampled_from([b"/p", b"/q"]))
def test_what_is_public_is_one_for_all_but_not_for_all_urls(
    org: str, key: str, other_org: str, other_key: str, host: bytes, path: bytes
) -> None:
    public = Cache(share="public")
    one = primary(public, Consumer(key, org), [b"cookie: a=1"])
    other = primary(public, Consumer(other_key, other_org), [b"authorization: x"], host, path)
    assert (one == other) == (host != b"g" and path == b"/p")


# --- and through the whole gateway ------------------------------------------------------------------------------

RAW = [f"fg_test_tenant_{n}" for n in range(4)]
KEYS = tuple(
    Key(f"key_{n}", f"k{n}", hash_key(raw, PEPPER), org=org)
    for n, (raw, org) in enumerate(zip(RAW, ["acme", "acme", "blue", ""], strict=True))
)
NAMES = {
    "cookie": ["a=1", "a=2"],
    "authorization": ["Bearer x", "Basic eDp5"],
    "accept": ["text/html"],
    "accept-language": ["de", "en"],
    "x-forwarded-host": ["evil.example"],
    "x-forwarded-for": ["10.0.0.1"],
    "cache-control": ["max-age=600", "max-stale"],
    "range": ["bytes=0-3"],
    "if-none-match": ['"t"'],
    "origin": ["https://a.example"],
    "x-org": ["blue", "acme"],
}


def tenants_of(settings: Cache, seed: int, **policies: Any) -> dict[bytes, set[int]]:
    """Which keys were given which body, in 400 requests with every sort of header to a few urls."""
    chance = random.Random(seed)
    seen: dict[bytes, set[int]] = {}

    def script(asked: Asked) -> Said:
        vary = ["vary: accept-language"] if asked.number % 3 else []
        return Said(b"%06d" % asked.number, ["cache-control: public, max-age=600", 'etag: "t"', *vary])

    async def main() -> None:
        routes = [route("/", cache=settings, **policies)]
        async with cached(script, routes=routes, keys=KEYS) as (world, origin):
            for _ in range(400):
                who = chance.randrange(4)
                fields = [f"{name}: {chance.choice(NAMES[name])}" for name in chance.sample(sorted(NAMES), 3)]
                got = await get(world.port, chance.choice(["/a", "/a?b", "/c"]), [f"x-api-key: {RAW[who]}", *fields])
                assert got.status in (200, 206, 304), got
                if got.status == 200:
                    seen.setdefault(got.body, set()).add(who)
            assert origin.count < 350  # or nothing would be shared at all

    run(main)
    return seen


ACME = {0, 1}


@pytest.mark.parametrize("seed", [1, 2])
def test_an_answer_stays_in_its_organisation(seed: int) -> None:
    seen = tenants_of(Cache(), seed)
    assert all(len(who) == 1 or who == ACME for who in seen.values())
    assert ACME in seen.values()  # within one it is shared


def test_an_answer_stays_with_its_key_where_that_is_asked_for() -> None:
    assert all(len(who) == 1 for who in tenants_of(Cache(share="key"), 3).values())


@pytest.mark.parametrize(
    "policies",
    [
        {"api_key": ApiKeySource(keep=True)},
        {"request_transform": RequestTransform(set_headers={"x-tenant": "${key.id}"})},
        {"request_transform": RequestTransform(set_query={"tenant": "${key.id}"})},
    ],
)
def test_an_answer_that_may_depend_on_the_key_stays_with_it(policies: dict[str, Any]) -> None:
    assert all(len(who) == 1 for who in tenants_of(Cache(), 4, **policies).values())


def test_what_is_declared_public_is_shared_by_all() -> None:
    assert any(len(who) == 4 for who in tenants_of(Cache(share="public"), 5).values())
