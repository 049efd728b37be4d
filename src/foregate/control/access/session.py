"""A browser's session: a signed cookie, so that it outlives a restart of control. A new token ends all sessions."""

import hashlib
import hmac

from foregate.kernel.clock import Clock
from foregate.kernel.secrets import CONSOLE_COOKIE, equal, new_token

COOKIE = CONSOLE_COOKIE
SESSION_LIFETIME_S = 30 * 86_400


class Sessions:
    """Values read `<expiry>.<random>.<HMAC-SHA-256 over both, under a key derived from the console's token>`."""

    def __init__(self, token: str, clock: Clock) -> None:
        self._key = hashlib.sha256(b"foregate console session\0" + token.encode()).digest()
        self._clock = clock

    def new(self) -> str:
        """A cookie value, good for SESSION_LIFETIME_S."""
        body = f"{int(self._clock.now()) + SESSION_LIFETIME_S}.{new_token()}"
        return f"{body}.{self._sign(body)}"

    def valid(self, value: str) -> bool:
        """Whether `value` was made by `new` under the present token and has not expired."""
        body, _, signature = value.rpartition(".")
        expiry = body.partition(".")[0]
        if not value.isascii() or not equal(signature, self._sign(body)):
            return False
        return expiry.isdigit() and self._clock.now() < int(expiry)

    def _sign(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()
