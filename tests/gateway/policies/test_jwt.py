"""Signed tokens of an issuer: what is taken, and every way in which one must not be."""

import asyncio
import base64
import hmac
import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwk, jws
from tests.gateway.policies.asking import ask, means

from foregate.gateway.policies import issuer_keys
from foregate.gateway.policies.authentication import Authentication
from foregate.gateway.policies.issuer_keys import KEYS_MAX, RETRY_S, UNKNOWN_KID_S, public_keys
from foregate.gateway.policies.jwt import TOKENS_MAX, JwtPolicy
from foregate.gateway.policies.policy import Ask, Consumer, Place, Refuse
from foregate.kernel.clock import ManualClock
from foregate.wire.policies import Jwt

ISSUER = "https://id.example.com/"
URL = "http://id.example.com/jwks"
EC = jwk.ECKey.generate_key("P-256", parameters={"kid": "ec"})
OTHER = jwk.ECKey.generate_key("P-256", parameters={"kid": "ec"})  # of the same name, but not the issuer's
NEXT = jwk.ECKey.generate_key("P-256", parameters={"kid": "next"})
RSA = jwk.RSAKey.generate_key(2048, parameters={"kid": "rsa"})
ED = jwk.OKPKey.generate_key("Ed25519", parameters={"kid": "ed"})
NOW = 1_700_000_000


def jwks(*keys: Any) -> str:
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]})


def token(key: Any = EC, alg: str = "ES256", header: dict[str, Any] | None = None, **claims: Any) -> bytes:
    whole = {"iss": ISSUER, "sub": "alice", "exp": NOW + 600, **claims}
    payload = json.dumps({name: value for name, value in whole.items() if value is not None})
    named = {"alg": alg, "kid": key.kid, **(header or {})}
    head = {name: value for name, value in named.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[alg], strict_check_header=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return jws.serialize_compact(head, payload, key, registry=registry).encode()


def settings(**more: Any) -> Jwt:
    if "jwks_url" not in more:
        more.setdefault("jwks", jwks(EC, RSA, ED))
    return Jwt(ISSUER, **more)


def policy(clock: ManualClock | None = None, **more: Any) -> JwtPolicy:
    return JwtPolicy(settings(**more), means(clock=clock), Place())


def identify(policy: JwtPolicy, raw: bytes) -> Any:
    return policy.identify(ask(headers=[(b"authorization", b"Bearer " + raw)]))


def refusal(policy: JwtPolicy, raw: bytes, code: str = "token_invalid") -> str:
    for _ in range(2):  # a refusal is not remembered as anything else
        found = identify(policy, raw)
        assert isinstance(found, Refuse), found
        assert found.code == code
        assert found.lines.startswith(b"www-authenticate: Bearer ")
    return found.detail


@pytest.mark.parametrize(("key", "alg"), [(EC, "ES256"), (RSA, "RS256"), (ED, "EdDSA")])
def test_a_right_token_says_who_asks(key: Any, alg: str) -> None:
    checked = policy()
    raw = token(key, alg)
    for _ in range(2):  # the second time from memory
        assert identify(checked, raw) == Consumer(f"jwt:{ISSUER}#alice")


def test_no_token_is_no_answer_and_an_api_key_is_left_for_others() -> None:
    checked = policy()
    assert checked.identify(ask()) is None
    assert checked.identify(ask(headers=[(b"authorization", b"Basic YTpi")])) is None
    assert identify(checked, b"fg_live_0123") is None


def _unsigned(alg: str) -> bytes:
    def part(value: dict[str, Any]) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    return part({"alg": alg, "kid": "ec"}) + b"." + part({"iss": ISSUER, "sub": "alice", "exp": NOW + 600}) + b"."


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
def test_an_unsigned_token_is_refused(alg: str) -> None:
    refusal(policy(), _unsigned(alg))


def test_a_token_signed_with_the_public_key_as_if_it_were_a_secret_is_refused() -> None:
    for published in (RSA.as_pem(private=False), jwks(RSA).encode(), EC.as_pem(private=False)):
        text = _unsigned("HS256")[:-1]
        signature = base64.urlsafe_b64encode(hmac.digest(published, text, "sha256")).rstrip(b"=")
        raw = text + b"." + signature
        assert "algorithm" in refusal(policy(), raw)


def test_a_published_secret_is_never_a_key() -> None:
    secret = jwk.OctKey.generate_key(256, parameters={"kid": "s"})
    with pytest.raises(ValueError, match="holds no key"):
        public_keys(json.dumps({"keys": [secret.as_dict()]}))


def test_an_algorithm_that_is_not_accepted_is_refused() -> None:
    assert "algorithm" in refusal(policy(algorithms=("RS256",)), token())
    assert "algorithm" in refusal(policy(algorithms=("ES256",)), token(RSA, "RS256"))


@pytest.mark.parametrize(("claimed", "key", "alg"), [("rsa", EC, "ES256"), ("ec", RSA, "RS256")])
def test_a_key_is_not_used_with_an_algorithm_of_another_kind(claimed: str, key: Any, alg: str) -> None:
    refusal(policy(), token(key, alg, {"kid": claimed}))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"a.b",
        b"a.b.c",
        b"..",
        b"a.b.c.d.e",
        b"\xff.\xfe.\xfd",
        b"eyJ.e30.",
        b"bnVsbA.e30.AA",
        b"W10.e30.AA",
        b"x" * 20_000,
        base64.urlsafe_b64encode(b"[" * 5_000).rstrip(b"=") + b".e30.AA",
    ],
)
def test_what_is_no_token_is_refused(raw: bytes) -> None:
    refusal(policy(), raw)


def test_another_key_of_the_same_name_is_refused() -> None:
    refusal(policy(), token(OTHER))


def test_a_changed_token_is_refused_though_the_right_one_is_known() -> None:
    checked = policy()
    raw = token()
    assert identify(checked, raw) == Consumer(f"jwt:{ISSUER}#alice")
    head, _, signature = raw.split(b".")
    forged = base64.urlsafe_b64encode(json.dumps({"iss": ISSUER, "sub": "root", "exp": NOW + 600}).encode())
    refusal(checked, b".".join([head, forged.rstrip(b"="), signature]))
    refusal(checked, raw[:-4] + b"AAAA")


@pytest.mark.parametrize(
    ("claims", "detail"),
    [
        ({"exp": NOW - 31}, "expired"),
        ({"exp": None}, "no time of expiry"),
        ({"exp": "never"}, "no time of expiry"),
        ({"exp": True}, "no time of expiry"),
        ({"nbf": NOW + 60}, "not valid yet"),
        ({"nbf": "soon"}, "not valid yet"),
        ({"iat": NOW + 60}, "not valid yet"),
        ({"iss": "https://evil.example/"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"sub": None}, "names nobody"),
        ({"sub": ""}, "names nobody"),
        ({"sub": "a\r\nb"}, "names nobody"),
        ({"sub": "x" * 300}, "names nobody"),
        ({"sub": 7}, "names nobody"),
    ],
)
def test_claims_that_do_not_hold_are_refused(claims: dict[str, Any], detail: str) -> None:
    assert detail in refusal(policy(), token(**claims))


def test_the_leeway_is_given_both_ways() -> None:
    assert identify(policy(), token(exp=NOW - 29)) == Consumer(f"jwt:{ISSUER}#alice")
    assert identify(policy(), token(nbf=NOW + 29)) == Consumer(f"jwt:{ISSUER}#alice")


@pytest.mark.parametrize("aud", [None, "other", ["other"], 7, [7], {"orders": 1}])
def test_a_token_for_another_audience_is_refused(aud: Any) -> None:
    assert "audience" in refusal(policy(audiences=("orders",)), token(aud=aud))


@pytest.mark.parametrize("aud", ["orders", ["other", "orders"]])
def test_a_token_for_one_of_the_audiences_is_taken(aud: Any) -> None:
    assert identify(policy(audiences=("orders", "stock")), token(aud=aud)) == Consumer(f"jwt:{ISSUER}#alice")


def test_required_claims_must_be_there() -> None:
    checked = policy(required_claims={"tenant": "t1"})
    assert identify(checked, token(tenant="t1")) == Consumer(f"jwt:{ISSUER}#alice")
    assert identify(checked, token(tenant=["t0", "t1"])) == Consumer(f"jwt:{ISSUER}#alice")
    for tenant in (None, "t2", ["t2"], {"t1": 1}):
        assert "tenant" in refusal(checked, token(tenant=tenant))


def test_a_missing_scope_is_forbidden_and_named() -> None:
    checked = policy(scopes=("read", "write"))
    assert identify(checked, token(scope="write read")) == Consumer(f"jwt:{ISSUER}#alice")
    assert identify(checked, token(scp=["read", "write"])) == Consumer(f"jwt:{ISSUER}#alice")
    for scope in (None, "read", "rewrite read", 7):
        refusal(checked, token(scope=scope), "forbidden")
    found = identify(checked, token(scope="read"))
    assert b'error="insufficient_scope", scope="write"' in found.lines


def test_plan_and_org_come_from_claims() -> None:
    checked = policy(subject_claim="client_id", plan_claim="tier", org_claim="org")
    found = identify(checked, token(client_id="app", tier="gold", org="acme"))
    assert found == Consumer(f"jwt:{ISSUER}#app", "acme", "gold", "plan:gold")
    assert identify(checked, token(client_id="app", tier=7, org="a\nb")) == Consumer(f"jwt:{ISSUER}#app")


def test_a_remembered_token_still_expires() -> None:
    clock = ManualClock(NOW)
    checked = policy(clock, leeway_s=0)
    raw = token(exp=NOW + 10)
    assert identify(checked, raw) == Consumer(f"jwt:{ISSUER}#alice")
    clock.advance(9.9)
    assert identify(checked, raw) == Consumer(f"jwt:{ISSUER}#alice")
    clock.advance(0.1)
    assert "expired" in refusal(checked, raw)


def test_the_memory_of_tokens_is_bounded_and_keeps_the_used_ones() -> None:
    checked = policy()
    raw = token()
    known = identify(checked, raw)
    for number in range(TOKENS_MAX + 5):
        checked._remember(b"%d" % number, {"sub": "x", "exp": NOW + 600})
        if number % 5_000 == 0:
            identify(checked, raw)
    assert len(checked._tokens) == TOKENS_MAX
    assert identify(checked, raw) == known
    assert b"0" not in checked._tokens


def test_a_token_without_a_key_id_is_tried_with_keys_of_its_kind() -> None:
    checked = policy(jwks=jwks(RSA, NEXT, EC))
    assert identify(checked, token(header={"kid": None})) == Consumer(f"jwt:{ISSUER}#alice")
    refusal(checked, token(OTHER, header={"kid": None}))


def test_a_header_that_must_be_understood_and_is_not_is_refused() -> None:
    head = base64.urlsafe_b64encode(b'{"alg":"ES256","kid":"ec","crit":["x"],"x":1}').rstrip(b"=")
    _, payload, signature = token().split(b".")
    refusal(policy(), b".".join([head, payload, signature]))


# --- the issuer's keys ----------------------------------------------------------------------------------------------


class Issuer:
    """Answers with what it is told to, and counts."""

    def __init__(self, *keys: Any) -> None:
        self.answer: str | Exception = jwks(*keys)
        self.asked = 0

    async def __call__(self, url: str) -> bytes:
        assert url == URL
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer.encode()


async def admitted(checked: JwtPolicy, clock: ManualClock, raw: bytes) -> Any:
    """What a route with this policy alone says in the end: the consumer, or the code of a refusal."""
    request = ask(headers=[(b"authorization", b"Bearer " + raw)], now_s=clock.monotonic())
    verdict = Authentication([checked]).admit(request)
    if isinstance(verdict, Ask):
        verdict = await verdict.verdict
    return verdict.code if isinstance(verdict, Refuse) else request.consumer.id


def with_issuer(main: Callable[[JwtPolicy, ManualClock, Issuer], Any], *keys: Any, **more: Any) -> None:
    clock, issuer = ManualClock(NOW), Issuer(*keys)
    checked = JwtPolicy(settings(jwks_url=URL, **more), means(clock=clock, fetch=issuer), Place())
    asyncio.run(main(checked, clock, issuer))


def test_keys_are_fetched_once_for_all_who_wait() -> None:
    async def main(checked: JwtPolicy, clock: ManualClock, issuer: Issuer) -> None:
        raws = [token(sub=f"u{n}") for n in range(5)]
        found = await asyncio.gather(*(admitted(checked, clock, raw) for raw in raws))
        assert found == [f"jwt:{ISSUER}#u{n}" for n in range(5)]
        assert issuer.asked == 1

    with_issuer(main, EC)


def test_nobody_gets_in_while_the_keys_were_never_fetched() -> None:
    async def main(checked: JwtPolicy, clock: ManualClock, issuer: Issuer) -> None:
        keys, issuer.answer = issuer.answer, OSError("down")
        assert await admitted(checked, clock, token()) == "issuer_unavailable"
        assert await admitted(checked, clock, token()) == "issuer_unavailable"
        assert issuer.asked == 1  # a dead issuer is not asked by every request
        issuer.answer = keys
        clock.advance(RETRY_S)
        assert await admitted(checked, clock, token()) == f"jwt:{ISSUER}#alice"

    with_issuer(main, EC)


def test_fetched_keys_are_kept_while_the_issuer_is_down() -> None:
    async def main(checked: JwtPolicy, clock: ManualClock, issuer: Issuer) -> None:
        assert await admitted(checked, clock, token()) == f"jwt:{ISSUER}#alice"
        for answer in (OSError("down"), "<html>", '{"keys": []}'):
            issuer.answer = answer
            clock.advance(301)
            asked = issuer.asked
            assert await admitted(checked, clock, token(sub="bob", exp=NOW + 9_000)) == f"jwt:{ISSUER}#bob"
            await asyncio.sleep(0.01)
            assert issuer.asked == asked + 1

    with_issuer(main, EC)


def test_keys_are_renewed_in_the_background() -> None:
    async def main(checked: JwtPolicy, clock: ManualClock, issuer: Issuer) -> None:
        raw = token(exp=NOW + 10_000)
        assert await admitted(checked, clock, raw) == f"jwt:{ISSUER}#alice"
        issuer.answer = jwks(NEXT)
        clock.advance(301)
        assert await admitted(checked, clock, raw) == f"jwt:{ISSUER}#alice"  # not waited for
        await asyncio.sleep(0.01)
        assert await admitted(checked, clock, raw) == "token_invalid"  # revoked, though it was remembered
        assert await admitted(checked, clock, token(NEXT)) == f"jwt:{ISSUER}#alice"

    with_issuer(main, EC)


def test_an_unknown_key_is_asked_for_at_once_but_not_by_every_token() -> None:
    async def main(checked: JwtPolicy, clock: ManualClock, issuer: Issuer) -> None:
        assert await admitted(checked, clock, token()) == f"jwt:{ISSUER}#alice"
        issuer.answer = jwks(EC, NEXT)
        clock.advance(UNKNOWN_KID_S)
        assert await admitted(checked, clock, token(NEXT)) == f"jwt:{ISSUER}#alice"
        assert issuer.asked == 2
        for number in range(5):
            assert await admitted(checked, clock, token(header={"kid": f"junk{number}"})) == "token_invalid"
        assert issuer.asked == 2

    with_issuer(main, EC)


def test_an_issuers_keys_are_bounded_and_unusable_ones_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    many = {"keys": [{"kty": "EC"}, {"kty": "XX"}, 7, *[EC.as_dict(private=False)] * (KEYS_MAX + 5)]}
    assert len(public_keys(json.dumps(many))) == KEYS_MAX - 3
    monkeypatch.setattr(issuer_keys, "RSA_BITS_MIN", 2_049)
    with pytest.raises(ValueError, match="holds no key"):
        public_keys(jwks(RSA))
    with pytest.raises(ValueError, match="not JSON"):
        public_keys(b"<html>")


def test_a_token_that_nobody_checked_is_not_sent_on() -> None:
    request = ask(headers=[(b"authorization", b"Bearer " + token()), (b"a", b"b")])
    policy().strip(request)
    assert list(request.kept) == [b"a: b"]
