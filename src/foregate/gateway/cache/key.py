"""The key of an answer: what must be the same for two requests to be given the same. Pure.

Always in it: the route and its service, scheme, host and what proxies before us say the host was, path and query, and
whatever `vary_headers` names. Unless the cache is declared public also who asks, to the extent of `share`, and what the
service sees of who asks (`Asked.seen`), which may be more than that. A key without an organisation belongs to nobody
else's, so it shares with none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway.cache.asked import Asked
from foregate.gateway.cache.vary import variant
from foregate.ports.cache import Key
from foregate.wire.cache import Cache

if TYPE_CHECKING:
    from foregate.gateway.policies.policy import Consumer
    from foregate.gateway.request import Request


class Keys:
    """Makes keys by one place's settings."""

    __slots__ = ("_extra", "_ignored", "_plain_query", "_prefixes", "_share", "_sort", "private")

    def __init__(self, settings: Cache) -> None:
        self._share = settings.share
        self.private = settings.share != "public"
        self._ignored = frozenset(n.encode() for n in settings.query_ignore if not n.endswith("*"))
        self._prefixes = tuple(n[:-1].encode() for n in settings.query_ignore if n.endswith("*"))
        self._sort = settings.query_sort
        self._plain_query = not (self._ignored or self._prefixes or self._sort)
        self._extra = tuple(sorted(name.lower().encode() for name in settings.vary_headers))

    def primary(self, request: Request, asked: Asked) -> bytes:
        """No two different requests have the same: of its parts only the first may hold a line break, and it says how
        long it is."""
        query = request.query
        if query and not self._plain_query:
            query = self._query(query)
        known = asked.start
        if (
            known is None
            or known[0] is not request.route
            or known[1] is not request.chain
            or known[2] is not request.consumer
            or known[3] != request.proto
        ):
            start = self._start(request, asked)
            known = asked.start = (request.route, request.chain, request.consumer, request.proto, start)
        return known[4] + request.path + query

    def _start(self, request: Request, asked: Asked) -> bytes:
        """All but path and query: the same for whoever sends the same fields again."""
        who = self._who(request.consumer) if self.private else b""
        certificate = request.exchange.client_certificate if self.private else None
        # The service is told of it; it says no more where it is what told us who asks.
        if certificate is not None and request.consumer.name != certificate.name:
            who += certificate.sha256.encode()
        return b"%d:%s%s\n%s\n%s\n%s\n%s\n%s\n" % (
            len(who),
            who,
            asked.seen,
            f"{request.route.name}\n{request.chain.service_name}".encode(),
            variant(self._extra, asked.sent).hex().encode(),
            request.proto.encode(),
            request.host.lower(),
            request.noted.get(b"x-forwarded-host", b""),
        )

    def key(self, request: Request, primary: bytes, url: bytes | None = None) -> Key:
        """With what a purge or an unsafe method names it by: `url`, or what was asked for.

        Both without what makes no difference to the key: who is given an answer must be able to make it void.
        """
        org = request.consumer.org if self.private else ""
        url = request.exchange.target if url is None else url
        if not self._plain_query:
            path, mark, query = url.partition(b"?")
            url = path + self._query(mark + query)
        return Key(primary, org, request.host.lower(), url)

    def _who(self, consumer: Consumer) -> bytes:
        """Whom the answer may be shared with."""
        org, key = consumer.org, consumer.id
        if self._share == "key":
            return f"key\n{len(org)}\n{org}\n{key}".encode()
        return f"org\n{org}".encode() if org else f"key\n0\n\n{key}".encode()

    def _query(self, query: bytes) -> bytes:
        """Without the parameters that make no difference, in order where that makes none."""
        parts = [part for part in query[1:].split(b"&") if not self._is_ignored(part.partition(b"=")[0])]
        if self._sort:
            parts.sort(key=_name)  # stable: several values of one parameter keep their order
        return b"?" + b"&".join(parts) if parts else b""

    def _is_ignored(self, name: bytes) -> bool:
        return name in self._ignored or (bool(self._prefixes) and name.startswith(self._prefixes))


def _name(part: bytes) -> bytes:
    return part.partition(b"=")[0]
