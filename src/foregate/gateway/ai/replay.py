"""An answer that was kept, given again: nobody is asked, and nothing is billed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway.ai.answer_cache import Kept
from foregate.gateway.ai.answering import content_type
from foregate.gateway.ai.formats import Asked
from foregate.wire.event import AiUsage

if TYPE_CHECKING:
    from foregate.gateway.inner import Asking
    from foregate.gateway.request import Request

_HIT = b"x-cache: HIT\r\n"


def begin(request: Request, asking: Asking, *, asked: Asked, kept: Kept) -> None:
    """The whole answer at once; a stream in the events that it came in. Both are bounded by the cache."""
    exchange = request.exchange
    request.cache = "hit"
    request.ai = AiUsage(
        asked.format.operation, kept.service, asked.model, kept.model, 0, 0, 0, 0.0, False, -1.0, -1.0, asked.stream,
        kept.finish_reason, "cache:hit",
    )  # fmt: skip
    length = None if asked.stream else sum(map(len, kept.pieces))
    if not asking.answer(request, 200, content_type(asked), length, _HIT):
        return
    for piece in kept.pieces:
        exchange.write(piece)
    asking.finish(request, 200)
    exchange.end()
    exchange.flush()
