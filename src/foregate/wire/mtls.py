"""What a route may ask of clients' TLS certificates."""

from typing import Annotated

from msgspec import Meta

from foregate.wire.settings import Settings


class Mtls(Settings, frozen=True):
    """Clients' TLS certificates, which the listener must ask for (`client_ca_file`).

    `allow`: subjects (`CN=shop,O=Acme`), URIs, DNS names and mail addresses, any of which is enough; one that ends with
    `*` allows what begins so. Empty: every certificate that the listener takes.
    """

    allow: tuple[Annotated[str, Meta(min_length=1, max_length=1_024)], ...] = ()
