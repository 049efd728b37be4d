"""Who is asking, by the TLS certificate that the client has shown to the listener."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from foregate.gateway.policies.policy import Consumer, Means, Place, Policy, Refuse
from foregate.wire.mtls import Mtls

if TYPE_CHECKING:
    from foregate.gateway.request import Request
    from foregate.http1.client_certificate import ClientCertificate


_ID_BYTES_MAX = 128  # of a name longer than that the id bears its beginning and its digest: it stays one of its own


def _id_of(name: str) -> str:
    said = f"mtls:{name}"
    return said if len(said) <= _ID_BYTES_MAX else f"{said[:80]}~{sha256(name.encode()).hexdigest()[:32]}"


class MtlsPolicy(Policy):
    """TLS has verified the certificate; here stands whether this one may pass, and whose it is.

    Its bearer is the API key's owner whose name is the certificate's (`ClientCertificate.name`), with that key's plan
    and policies; without such a key a consumer of that name.
    """

    name = "mtls"
    # No scheme is registered for it; RFC 9110 section 15.5.2 wants a challenge with every 401.
    challenge = b'Mutual-TLS realm="foregate"'

    def __init__(self, settings: Mtls, means: Means, place: Place) -> None:
        self._named = means.named
        self._exact = frozenset(each for each in settings.allow if not each.endswith("*"))
        self._prefixes = tuple(each[:-1] for each in settings.allow if each.endswith("*"))
        self._any = not settings.allow
        self._refused = Refuse("forbidden", "This certificate is not let in here.")

    def identify(self, request: Request) -> Consumer | Refuse | None:
        certificate = request.exchange.client_certificate
        if certificate is None:
            return None
        if not self._any and not self._allows(certificate):
            return self._refused
        name = certificate.name
        return self._named(name) or Consumer(_id_of(name), name=name)

    def _allows(self, certificate: ClientCertificate) -> bool:
        said = (certificate.subject, *certificate.names)
        return any(name in self._exact or name.startswith(self._prefixes) for name in said)

    def strip(self, request: Request) -> None:
        """A certificate is the connection's: there is nothing in the request to be taken away."""
