"""Who is asking, by a signed token of an issuer (JWT, RFC 7519): `Authorization: Bearer eyJ…`.

The algorithms are those that the settings name, all of them asymmetric, and a key is only ever used with an algorithm
of its own kind: a token cannot choose how it is checked (RFC 8725). It must expire. A token that was right is
remembered until it expires or the issuer's keys change, so that the signature is paid for once.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError

from foregate.gateway.policies.credentials import drop_authorization
from foregate.gateway.policies.issuer_keys import IssuerKeys, PublicKey
from foregate.gateway.policies.policy import Ask, Consumer, Means, Place, Policy, Refuse
from foregate.wire.policies import Jwt

if TYPE_CHECKING:
    from foregate.gateway.request import Request

TOKENS_MAX = 10_000  # remembered per policy; beyond it the one longest unused is checked anew when it comes again
TOKEN_BYTES_MAX = 16_384
TRIED_MAX = 4  # keys that a token without a key id is tried with
SUBJECT_CHARS_MAX = 256
_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}  # by the first letters of an algorithm
_API_KEY = b"fg_"  # such a bearer token is for `api_key`
_claims = msgspec.json.Decoder(dict[str, Any]).decode


class _Registry(jws.JWSRegistry):
    max_header_length = 4_096  # some issuers put their certificate chain there
    max_payload_length = TOKEN_BYTES_MAX

    def get_alg(self, name: str) -> Any:
        """Of those that are accepted; without the library's advice about names on stderr."""
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


class Unsigned(NamedTuple):
    """A token before its signature is checked."""

    algorithm: str
    key_id: str | None
    parts: jws.CompactSignature


class _Known(NamedTuple):
    consumer: Consumer
    until_s: float  # wall clock


def read(raw: bytes, algorithms: tuple[str, ...], registry: jws.JWSRegistry) -> Unsigned | str:
    """What a token says of how it is signed, or what is wrong with it."""
    if len(raw) > TOKEN_BYTES_MAX or raw.count(b".") != 2:
        return "It is not a JWT."
    try:
        parts = jws.extract_compact(raw, None, registry)
        header = parts.headers()
        registry.check_header(header)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        return "It is not a JWT."
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in algorithms:
        return "It is signed with an algorithm that is not accepted."
    return Unsigned(algorithm, key_id if isinstance(key_id, str) else None, parts)


def signed_by(token: Unsigned, keys: tuple[PublicKey, ...], by_id: Mapping[str, PublicKey]) -> bool | None:
    """Whether one of the issuer's keys signed it; None when the key that it names is not among them."""
    kind = _KINDS[token.algorithm[:2]]
    if token.key_id is not None:
        named = by_id.get(token.key_id)
        if named is None:
            return None
        tried = [named]
    else:
        tried = [key for key in keys if key.key_type == kind][:TRIED_MAX]
    return any(_fits(token, key) for key in tried if key.key_type == kind)


def _fits(token: Unsigned, key: PublicKey) -> bool:
    if key.get("alg") not in (None, token.algorithm):
        return False
    try:
        registry = _Registry(strict_check_header=False, algorithms=(token.algorithm,))
        return jws.validate_compact(token.parts, key, registry=registry)
    except (JoseError, ValueError):
        return False


def wrong(claims: Mapping[str, Any], settings: Jwt, now_s: float) -> str:
    """What is wrong with the claims of a signed token at the time `now_s` (seconds since 1970); "" for nothing."""
    leeway = settings.leeway_s
    expires: Any = claims.get("exp")
    begins, issued = claims.get("nbf"), claims.get("iat")
    if claims.get("iss") != settings.issuer:
        return "It is of another issuer."
    if not _number(expires):
        return "It has no time of expiry."
    if now_s >= expires + leeway:
        return "It has expired."
    if any(time is not None and (not _number(time) or now_s < time - leeway) for time in (begins, issued)):
        return "It is not valid yet."
    if settings.audiences and not _values(claims.get("aud")) & set(settings.audiences):
        return "It is meant for another audience."
    for name, value in settings.required_claims.items():
        if value not in _values(claims.get(name)):
            return f"Its claim {name} is not what is required."
    subject = claims.get(settings.subject_claim)
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARS_MAX or not subject.isprintable():
        return f"Its claim {settings.subject_claim} names nobody."
    return ""


def missing_scopes(claims: Mapping[str, Any], wanted: tuple[str, ...]) -> list[str]:
    """Which of the scopes the token has not (`scope`, or `scp` as some issuers call it)."""
    given = _values(claims.get("scope")) | _values(claims.get("scp"))
    words = {word for value in given for word in value.split()}
    return [scope for scope in wanted if scope not in words]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _values(claim: Any) -> set[str]:
    """A claim that is one text or several."""
    return {value for value in (claim if isinstance(claim, list) else [claim]) if isinstance(value, str)}


class JwtPolicy(Policy):
    """The tokens of one issuer."""

    name = "jwt"
    challenge = b'Bearer realm="foregate"'

    def __init__(self, settings: Jwt, means: Means, place: Place) -> None:
        self._settings = settings
        self._now = means.clock.now
        # "jwt:", so that no subject can pass for the holder of an API key where limits count by key; the issuer, so
        # that none passes for the same name at another one; without "#", so that it ends where it seems to
        self._prefix = f"jwt:{settings.issuer.replace('#', '%23')}#"
        self._issuer = IssuerKeys(settings, means)
        # RFC 9864 gave what EdDSA meant its own name; both are taken where one is
        ed = ("EdDSA", "Ed25519") if {"EdDSA", "Ed25519"} & set(settings.algorithms) else ()
        self._algorithms = tuple(dict.fromkeys([*settings.algorithms, *ed]))
        self._registry = _Registry(strict_check_header=False, algorithms=self._algorithms)
        self._tokens: dict[bytes, _Known] = {}  # by digest, the longest unused first
        self._revision = 0

    def identify(self, request: Request) -> Consumer | Refuse | Ask | None:
        value = request.header(b"authorization")
        if value is None or value[:7].lower() != b"bearer ":
            return None
        raw = value[7:].strip()
        if raw.startswith(_API_KEY):
            return None
        issuer = self._issuer
        if request.now_s >= issuer.due_s and issuer.keys:
            issuer.renew()
        if self._revision != issuer.revision:
            self._revision = issuer.revision
            self._tokens.clear()
        digest = sha256(raw).digest()
        known = self._tokens.pop(digest, None)
        if known is None or self._now() >= known.until_s:
            return self._check(raw, digest, request.now_s)
        self._tokens[digest] = known
        return known.consumer

    def strip(self, request: Request) -> None:
        """Another method has let it in: an upstream that relies on us must see no token that nobody has checked."""
        drop_authorization(request, b"bearer")

    def _check(self, raw: bytes, digest: bytes, now_s: float) -> Consumer | Refuse | Ask:
        issuer = self._issuer
        token = read(raw, self._algorithms, self._registry)
        if isinstance(token, str):
            return _invalid(token)
        if not issuer.keys:
            return Ask(issuer.fetched()) if now_s >= issuer.due_s or issuer.fetching else Refuse("issuer_unavailable")
        signed = signed_by(token, issuer.keys, issuer.by_id)
        if signed is None and issuer.may_ask(now_s):
            return Ask(issuer.fetched())
        if not signed:
            return _invalid("It is not signed by its issuer.")
        try:
            claims = _claims(token.parts.payload)
        except (msgspec.MsgspecError, RecursionError):
            return _invalid("It is not a JWT.")
        if problem := wrong(claims, self._settings, self._now()):
            return _invalid(problem)
        if missing := missing_scopes(claims, self._settings.scopes):
            return _unscoped(missing)
        return self._remember(digest, claims)

    def _remember(self, digest: bytes, claims: Mapping[str, Any]) -> Consumer:
        settings = self._settings
        plan, org = (_text(claims.get(name)) if name else "" for name in (settings.plan_claim, settings.org_claim))
        consumer = Consumer(self._prefix + claims[settings.subject_claim], org, plan, f"plan:{plan}" if plan else "")
        if len(self._tokens) >= TOKENS_MAX:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[digest] = _Known(consumer, claims["exp"] + settings.leeway_s)
        return consumer


def _text(claim: Any) -> str:
    return claim if isinstance(claim, str) and len(claim) <= SUBJECT_CHARS_MAX and claim.isprintable() else ""


def _invalid(detail: str) -> Refuse:
    lines = b'www-authenticate: Bearer realm="foregate", error="invalid_token"\r\n'
    return Refuse("token_invalid", detail, lines)


def _unscoped(missing: list[str]) -> Refuse:
    wanted = " ".join(missing).encode("ascii", "replace")
    lines = b'www-authenticate: Bearer realm="foregate", error="insufficient_scope", scope="%s"\r\n' % wanted
    return Refuse("forbidden", "The token lacks a scope.", lines)
