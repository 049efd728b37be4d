"""One-time codes: a link that signs a browser in once, so that the token itself never stands in a URL."""

import hashlib
from collections import OrderedDict

from foregate.kernel.clock import Clock
from foregate.kernel.secrets import new_token

CODE_LIFETIME_S = 3_600.0
CODES_MAX = 64  # outstanding; issuing one more forgets the oldest


class OneTimeCodes:
    """Codes by their digest: looking one up tells nothing about another through timing."""

    def __init__(self, clock: Clock, lifetime_s: float = CODE_LIFETIME_S) -> None:
        self._clock = clock
        self._lifetime_s = lifetime_s
        self._expiry_by_digest: OrderedDict[bytes, float] = OrderedDict()

    def issue(self) -> str:
        """A new code, valid once and for the lifetime."""
        code = new_token()
        self._expiry_by_digest[_digest(code)] = self._clock.monotonic() + self._lifetime_s
        while len(self._expiry_by_digest) > CODES_MAX:
            self._expiry_by_digest.popitem(last=False)
        return code

    def redeem(self, code: str) -> bool:
        """True once for a valid code."""
        expiry = self._expiry_by_digest.pop(_digest(code), None)
        return expiry is not None and self._clock.monotonic() <= expiry


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()
