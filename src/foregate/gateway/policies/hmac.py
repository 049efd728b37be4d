"""Who is asking, by a signature: HMAC-SHA-256 with a shared secret over what is asked.

    x-signature: keyid=acme,ts=1700000000,sig=<hex of HMAC-SHA-256(secret, text)>
    text = METHOD "\\n" target "\\n" ts "\\n" hex(SHA-256(body)), or "UNSIGNED" for the last where bodies are not signed

A signature is valid for `window_s` around its time and taken once by each worker: a worker remembers those it took
until they are too old anyway. Workers do not tell one another, so a replay may succeed once per further worker.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from foregate.gateway.policies.bodies import carries_body
from foregate.gateway.policies.policy import Consumer, Means, NeedBody, Place, Policy, Refuse
from foregate.wire.policies import Hmac

if TYPE_CHECKING:
    from foregate.gateway.request import Request

REPLAYS_MAX = 100_000  # signatures remembered per policy and worker; beyond it the oldest is forgotten, and counted
_HEX = frozenset(b"0123456789abcdef")
_DIGITS_MAX = 12


class Signature(NamedTuple):
    """What the header says. `time_s`: seconds since 1970; `digest`: lower-case hex."""

    key: str
    time_s: int
    digest: bytes


def parse(value: bytes) -> Signature | None:
    """The three members, each once and in any order; None for anything else."""
    members = {}
    for part in value.split(b","):
        name, _, text = part.strip().partition(b"=")
        if name in members:
            return None
        members[name] = text
    if set(members) != {b"keyid", b"ts", b"sig"}:
        return None
    key, time, digest = members[b"keyid"], members[b"ts"], members[b"sig"].lower()
    if not time.isdigit() or len(time) > _DIGITS_MAX or len(digest) != 64 or not _HEX.issuperset(digest):
        return None
    return Signature(key.decode("latin-1"), int(time), digest)


def signed_text(method: bytes, target: bytes, time_s: int, body: bytes | None) -> bytes:
    """What is signed; `body` None where it is not."""
    return b"%s\n%s\n%d\n%s" % (
        method,
        target,
        time_s,
        b"UNSIGNED" if body is None else sha256(body).hexdigest().encode(),
    )


class Replays:
    """The signatures that were taken, until they are too old to be taken again."""

    __slots__ = ("_until", "forgotten")

    def __init__(self) -> None:
        self._until: dict[bytes, float] = {}
        self.forgotten = 0  # for want of room, though they could be replayed

    def take(self, digest: bytes, until_s: float, now_s: float) -> bool:
        """Whether this is the first time."""
        taken = self._until
        while taken and taken[oldest := next(iter(taken))] < now_s:
            del taken[oldest]
        if digest in taken:
            return False
        if len(taken) >= REPLAYS_MAX:
            del taken[next(iter(taken))]
            self.forgotten += 1
        taken[digest] = until_s
        return True


class HmacPolicy(Policy):
    """One set of secrets, by key name."""

    name = "hmac"

    def __init__(self, settings: Hmac, means: Means, place: Place) -> None:
        self._header = settings.header.encode().lower()
        self._secrets = {name: secret.encode() for name, secret in settings.secrets.items()}
        self._window_s = settings.window_s
        self._body = settings.body
        self._bytes_max = settings.body_bytes_max
        self._now = means.clock.now
        self._named = means.named
        self._log = means.log
        self._replays = Replays()
        self.challenge = b'HMAC-SHA256 realm="foregate", header="%s"' % self._header

    def identify(self, request: Request) -> Consumer | Refuse | NeedBody | None:
        value = request.header(self._header)
        if value is None:
            return None
        given = parse(value)
        if given is None:
            return self._invalid("It is not of the form keyid=…,ts=…,sig=….")
        now_s = self._now()
        if abs(now_s - given.time_s) > self._window_s:
            return self._invalid("It is of another time.")
        secret = self._secrets.get(given.key)
        if secret is None:  # before anything is read for somebody unknown
            return self._invalid("It does not fit this request.")
        body = None
        if self._body:
            if request.body is None and carries_body(request):
                return NeedBody(self._bytes_max)
            body = request.body or b""
        text = signed_text(request.method, request.exchange.target, given.time_s, body)
        wanted = hmac.digest(secret, text, "sha256").hex().encode()
        if not hmac.compare_digest(wanted, given.digest):
            return self._invalid("It does not fit this request.")
        if not self._take(given, now_s):
            return self._invalid("It was used before.")
        request.remove_header(self._header)
        return self._named(given.key) or Consumer(f"hmac:{given.key}", name=given.key)

    def strip(self, request: Request) -> None:
        """Another method has let it in: send no signature on."""
        if request.header(self._header) is not None:
            request.remove_header(self._header)

    def _take(self, given: Signature, now_s: float) -> bool:
        replays = self._replays
        before = replays.forgotten
        first = replays.take(bytes.fromhex(given.digest.decode()), given.time_s + self._window_s, now_s)
        if replays.forgotten and not before:
            self._log("hmac_signatures_forgotten", {"bound": REPLAYS_MAX})
        return first

    def _invalid(self, detail: str) -> Refuse:
        return Refuse("signature_invalid", detail, b"www-authenticate: " + self.challenge + b"\r\n")
