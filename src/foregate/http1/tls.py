"""TLS on both sides: certificates chosen by server name and replaced while serving, and contexts for asking.

TLS 1.2 or newer, ALPN http/1.1 alone unless more is spoken, session tickets on. Tickets are sealed with a key of this
process (Python offers no way to share one), so a client that resumes at another worker does a full handshake there.
"""

import ssl
from collections.abc import Sequence
from typing import NamedTuple

from foregate.http1.certificate_names import dns_names

HTTP1, HTTP2 = "http/1.1", "h2"  # as ALPN names them


class Certificate(NamedTuple):
    """PEM files: `certificate` with the chain, leaf first; `key` unencrypted. `names` () means: those it is for."""

    certificate: str
    key: str
    names: tuple[str, ...] = ()


class ClientAuthorities(NamedTuple):
    """Who vouches for clients: a PEM file; not `required`: a client may come without a certificate."""

    ca_file: str
    required: bool = True


class BadCertificate(Exception):
    """A certificate cannot be served; the message says which file and why."""


class ServerCertificates:
    """What a TLS server presents. Give `context` to `create_server(ssl=...)`; `reload()` changes what it does.

    With `clients`, `reload()` also makes another `context`, for the connections to come: the one before it remembers
    sessions (of TLS 1.2, by their id), and would let in a client whose authority is trusted no longer.

    A server name chooses: the exact name, then a wildcard for its first label, then the first certificate of the
    table; likewise without a server name. Where two certificates bear a name, the earlier one has it.
    """

    def __init__(
        self,
        certificates: Sequence[Certificate],
        *,
        alpn: Sequence[str] = (HTTP1,),
        clients: ClientAuthorities | None = None,
    ) -> None:
        """`alpn` are the protocols that are spoken, the best first; with `clients` these are asked for certificates.

        Raises BadCertificate.
        """
        self._alpn = alpn
        self._clients = clients
        self._by_name, self._first = _table(certificates, alpn, clients)
        self.context = self._listening()

    def _listening(self) -> ssl.SSLContext:
        """Sessions belong to the context that listens, so it stays the same over reloads; it has no certificate."""
        context = _context(self._alpn, self._clients)
        context.sni_callback = self._choose
        return context

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are served, wildcards as `*.example.org`."""
        return tuple(self._by_name)

    def reload(self, certificates: Sequence[Certificate]) -> None:
        """Read the files again: new handshakes see them, live connections are not touched.

        Raises BadCertificate, and then goes on as before.
        """
        table = _table(certificates, self._alpn, self._clients)
        if self._clients is not None:
            self.context = self._listening()
        self._by_name, self._first = table

    def find(self, server_name: str | None) -> ssl.SSLContext:
        """The context for a server name."""
        if server_name is None:
            return self._first
        name = server_name.lower().rstrip(".")
        exact = self._by_name.get(name)
        return exact or self._by_name.get("*." + name.partition(".")[2]) or self._first

    def _choose(self, connection: ssl.SSLObject, server_name: str | None, listening: ssl.SSLContext) -> None:
        connection.context = self.find(server_name)


def client_context(
    *,
    ca_file: str = "",
    verify: bool = True,
    certificate: Certificate | None = None,
    alpn: Sequence[str] = (HTTP1,),
) -> ssl.SSLContext:
    """How to ask an upstream over TLS: trust `ca_file` (the system's store where it is ""), show `certificate`.

    `alpn` are the protocols that we offer to speak, the best first. With `verify=False` anybody may answer: for tests
    and private links. Raises BadCertificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(list(alpn))
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca_file:
        _trust(context, ca_file)
    else:
        context.load_default_certs()
    if certificate is not None:
        _load(context, certificate)
    return context


def _table(
    certificates: Sequence[Certificate], alpn: Sequence[str], clients: ClientAuthorities | None
) -> tuple[dict[str, ssl.SSLContext], ssl.SSLContext]:
    if not certificates:
        raise BadCertificate("TLS needs at least one certificate")
    by_name: dict[str, ssl.SSLContext] = {}
    contexts = []
    for certificate in certificates:
        context = _context(alpn, clients)
        _load(context, certificate)
        contexts.append(context)
        for name in certificate.names or _names(certificate.certificate):
            by_name.setdefault(name.lower().rstrip("."), context)
    return by_name, contexts[0]


def _context(alpn: Sequence[str], clients: ClientAuthorities | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(list(alpn))
    if clients is not None:
        _trust(context, clients.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED if clients.required else ssl.CERT_OPTIONAL
        context.options |= ssl.OP_NO_TICKET  # a ticket would let a client in whose authority is trusted no longer
        context.num_tickets = 0
    return context


def _trust(context: ssl.SSLContext, ca_file: str) -> None:
    try:
        context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise BadCertificate(f"{ca_file}: no CA certificates in PEM can be read from it: {error}") from error


def _load(context: ssl.SSLContext, certificate: Certificate) -> None:
    for path in (certificate.certificate, certificate.key):
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise BadCertificate(f"{path}: {error.strerror}") from error
    try:
        # An encrypted key would make OpenSSL ask at the terminal: a password that is never right asks nobody.
        context.load_cert_chain(certificate.certificate, certificate.key, password=b"")
    except (OSError, ssl.SSLError) as error:
        raise BadCertificate(
            f"{certificate.certificate} with {certificate.key}: not an unencrypted pair in PEM: {error}"
        ) from error


def _names(path: str) -> tuple[str, ...]:
    with open(path, encoding="ascii", errors="replace") as file:
        text = file.read()
    begin, end = text.find("-----BEGIN CERTIFICATE-----"), text.find("-----END CERTIFICATE-----")
    try:
        return dns_names(ssl.PEM_cert_to_DER_cert(text[begin : end + len("-----END CERTIFICATE-----")]))
    except (ValueError, StopIteration) as error:
        raise BadCertificate(f"{path}: its names cannot be read: {error}") from error
