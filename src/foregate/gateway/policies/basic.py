"""Who is asking, by user name and password (RFC 7617): a key's name and the key itself."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING

from foregate.gateway.policies.credentials import drop_authorization
from foregate.gateway.policies.policy import Consumer, Means, Place, Policy, Refuse
from foregate.wire.policies import Basic

if TYPE_CHECKING:
    from foregate.gateway.request import Request

CREDENTIALS_BYTES_MAX = 1_024  # encoded; longer ones are wrong without being looked at


def credentials(value: bytes) -> tuple[bytes, bytes] | None:
    """User and password of an Authorization value of this scheme; None when it cannot be read."""
    if len(value) > CREDENTIALS_BYTES_MAX:
        return None
    try:
        user, colon, password = binascii.a2b_base64(value[6:].strip(), strict_mode=True).partition(b":")
    except binascii.Error:
        return None
    return (user, password) if colon else None


class BasicPolicy(Policy):
    """The password must be an API key, and the user that key's name. Neither is sent on."""

    name = "basic"

    def __init__(self, settings: Basic, means: Means, place: Place) -> None:
        self._consumers = means.consumers
        realm = "".join(c if c.isprintable() and c.isascii() and c not in '"\\' else "'" for c in settings.realm)
        self.challenge = b'Basic realm="%s", charset="UTF-8"' % realm.encode()
        self._invalid = Refuse("key_invalid", "", b"www-authenticate: " + self.challenge + b"\r\n")

    def identify(self, request: Request) -> Consumer | Refuse | None:
        value = request.header(b"authorization")
        if value is None or value[:6].lower() != b"basic ":
            return None
        given = credentials(value)
        if given is None:
            return self._invalid
        consumer = self._consumers(given[1])
        if consumer is None or given[0] != consumer.name.encode():
            return self._invalid
        request.remove_header(b"authorization")
        return consumer

    def strip(self, request: Request) -> None:
        """Another method has let it in: send no user and password on."""
        drop_authorization(request, b"basic")
