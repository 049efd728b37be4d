"""Whole answers that may be given again to the very same request: exact matches only, within one tenant.

One worker's memory, bounded in bytes. An answer is kept as what the client got, a stream as its events, and so it is
replayed. What was cut off, or ended with an error, never comes here.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from foregate.gateway.ai.formats import Asked
from foregate.wire.ai import AnswerCache as Settings

if TYPE_CHECKING:
    from foregate.gateway.request import Request

ENTRY_BYTES = 512  # of an entry beside its answer, about …
PIECE_BYTES = 64  # … and of each of its events
# What else of a request may change its answer, or who is to see it. Asked of the client's own header fields.
_VARY = (b"anthropic-version", b"anthropic-beta", b"openai-beta", b"openai-organization", b"openai-project")
_canonical = msgspec.json.Encoder(order="sorted").encode


class Kept(NamedTuple):
    """An answer as the client got it. `pieces`: its events; of a whole answer, one piece."""

    pieces: tuple[bytes, ...]
    size: int
    expires_s: float
    service: str
    model: str
    finish_reason: str


def cacheable(asked: Asked, settings: Settings) -> bool:
    """Whether this request may be answered by what it was answered before. A conversation that the provider remembers
    has gone on since then."""
    if asked.document.get("conversation") is not None:
        return False
    if settings.when == "always" or asked.format.operation == "embeddings":
        return True
    return asked.document.get("temperature") == 0


def key_of(request: Request, asked: Asked, settings: Settings) -> bytes:
    """What tells the same requests apart: who may share it, the API, and every member of the body.

    The tenant is part of it unless the route is declared public: the org always, with `share: key` (and for who has
    no org, as by a token or a certificate) the key too, and for who has no key the address.
    """
    consumer = request.consumer
    whose: tuple[str, ...] = ()
    if settings.share != "public":
        by_org = settings.share == "org" and consumer.id and consumer.org
        whose = ("org", consumer.org) if by_org else ("key", consumer.org, consumer.id)
        if not consumer.id:
            whose = ("nobody", request.client)
    fields = [request.header(name) or b"" for name in _VARY]
    text = _canonical([whose, asked.format.name, [field.decode("latin-1") for field in fields], asked.document])
    return blake2b(text, digest_size=32).digest()


class AnswerCache:
    """Least recently used go first."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self.size = 0  # bytes

    def find(self, key: bytes, now_s: float) -> Kept | None:
        """`now_s`: monotonic."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if now_s >= kept.expires_s:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept

    def keep(
        self, key: bytes, pieces: tuple[bytes, ...], now_s: float, service: str, model: str, finish_reason: str
    ) -> None:
        """An answer that has come to its good end."""
        answer_bytes = sum(map(len, pieces))
        size = answer_bytes + PIECE_BYTES * len(pieces) + ENTRY_BYTES
        if answer_bytes > self.settings.answer_bytes_max or size > self.settings.bytes_max:
            return
        if key in self._kept:
            self._drop(key)
        self._kept[key] = Kept(pieces, size, now_s + self.settings.ttl_s, service, model, finish_reason)
        self.size += size
        while self.size > self.settings.bytes_max:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: bytes) -> None:
        self.size -= self._kept.pop(key).size
