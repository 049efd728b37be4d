"""An issuer's published keys (JWKS, RFC 7517): fetched, kept, renewed in time and when an unknown one is named.

Keys that were fetched once are used until others are: an issuer that is down locks nobody out. They are asked for again
after `cache_s`, in the background; and at once, but not oftener than every UNKNOWN_KID_S, when a token names a key that
is not among them. One fetch at a time, whoever waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from joserfc import jwk
from joserfc.errors import JoseError

from foregate.gateway.policies.policy import Means
from foregate.kernel.tasks import spawn
from foregate.wire.policies import Jwt

KEYS_MAX = 100  # of one issuer; further ones are not taken
RETRY_S = 5.0  # after a fetch that failed
UNKNOWN_KID_S = 10.0  # between fetches that unknown keys cause
RSA_BITS_MIN = 2_048
_KINDS = ("RSA", "EC", "OKP")  # never "oct": a published secret is none

PublicKey = jwk.RSAKey | jwk.ECKey | jwk.OKPKey


def public_keys(raw: bytes | str) -> tuple[PublicKey, ...]:
    """The keys of a JWKS document that signatures can be checked with. Raises ValueError when it is none."""
    try:
        listed = msgspec.json.decode(raw, type=dict[str, Any]).get("keys")
    except msgspec.MsgspecError as error:
        raise ValueError(f"the key set is not JSON: {error}") from None
    if not isinstance(listed, list):
        raise ValueError('the key set has no list "keys"')
    found = [key for entry in listed[:KEYS_MAX] if (key := _public_key(entry)) is not None]
    if not found:
        raise ValueError("the key set holds no key that signatures can be checked with")
    return tuple(found)


def _public_key(entry: Any) -> PublicKey | None:
    if not isinstance(entry, dict) or entry.get("kty") not in _KINDS or entry.get("use", "sig") != "sig":
        return None
    try:
        key = jwk.import_key(entry)
        small = isinstance(key, jwk.RSAKey) and key.public_key.key_size < RSA_BITS_MIN
    except (JoseError, ValueError, TypeError, KeyError):
        return None  # of a kind that we do not know: the others may do
    return None if small or not isinstance(key, jwk.RSAKey | jwk.ECKey | jwk.OKPKey) else key


class IssuerKeys:
    """The keys of one `jwt` policy. `revision` grows whenever they have become others."""

    def __init__(self, settings: Jwt, means: Means) -> None:
        self._url = settings.jwks_url or ""
        self._cache_s = settings.cache_s
        self._means = means
        self._task: asyncio.Task[None] | None = None
        self._raw = b""
        self._asked_s = float("-inf")
        self.keys: tuple[PublicKey, ...] = public_keys(settings.jwks) if settings.jwks is not None else ()
        self.by_id: Mapping[str, PublicKey] = _by_id(self.keys)
        self.revision = 0
        self.due_s = float("-inf") if self._url else float("inf")

    @property
    def fetching(self) -> bool:
        """Whether a fetch is under way."""
        return self._task is not None

    def may_ask(self, now_s: float) -> bool:
        """Whether an unknown key is worth a fetch, or one is under way."""
        return bool(self._url) and (self._task is not None or now_s >= self._asked_s + UNKNOWN_KID_S)

    def renew(self) -> asyncio.Task[None]:
        """Begin to fetch, unless that is under way."""
        if self._task is None:
            self._asked_s = now_s = self._means.clock.monotonic()
            self.due_s = now_s + RETRY_S
            self._task = spawn(self._fetch(), name="fetch keys of an issuer")
        return self._task

    async def fetched(self) -> None:
        """Until a fetch has ended, well or not. The fetch goes on when its waiter is cancelled."""
        await asyncio.wait([self.renew()])

    async def _fetch(self) -> None:
        try:
            raw = await self._means.fetch(self._url)
            keys = public_keys(raw) if raw != self._raw else self.keys
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the keys we have stay
            self._means.log("issuer_keys_not_fetched", {"url": self._url, "error": str(error) or repr(error)})
        else:
            self.due_s = self._means.clock.monotonic() + self._cache_s
            if raw != self._raw:
                self._raw, self.keys, self.by_id = raw, keys, _by_id(keys)
                self.revision += 1
        finally:
            self._task = None


def _by_id(keys: tuple[PublicKey, ...]) -> dict[str, PublicKey]:
    return {key.kid: key for key in keys if key.kid}
