"""Giving a stored answer to a client: whole, in part, or as the 304 that says that the client has it already."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, cast

from foregate.gateway.cache.asked import Asked
from foregate.gateway.cache.prepared import Prepared, prepared
from foregate.gateway.cache.ranges import NOTHING, part_of
from foregate.gateway.cache.validate import not_modified
from foregate.gateway.facts import NO_FACTS, Facts
from foregate.gateway.heads import status_line
from foregate.kernel.errors import ERRORS
from foregate.kernel.tasks import spawn
from foregate.ports.cache import DiskBody, Stored
from foregate.wire.event import CacheOutcome

if TYPE_CHECKING:
    from foregate.gateway.inner import Asking
    from foregate.gateway.request import Request

PIECE_BYTES = 262_144  # read from the disk at a time, and held of one answer


class How(NamedTuple):
    """What the event says of it, and what Cache-Status says after our name (RFC 9211)."""

    outcome: CacheOutcome
    said: bytes


HIT = How("hit", b"hit")
STALE = How("stale", b"hit")


def close_body(stored: Stored) -> None:
    """It is not given after all."""
    if not isinstance(stored.body, bytes):
        stored.body.close()


def give(
    request: Request,
    asking: Asking,
    asked: Asked,
    stored: Stored,
    how: How,
    now_s: float,
    facts: Facts = NO_FACTS,
) -> None:
    """Answer, leave the event, be done. `facts`: of who was asked, where somebody was."""
    ready = prepared(stored)
    body = stored.body
    request.cache = how.outcome
    status, start, stop = stored.status, 0, stored.length
    try:
        if asked.plain:
            fields = ready.head(request, stored)
        elif not_modified(asked.if_none_match, asked.if_modified_since, status, stored.headers):
            status, stop, fields = 304, 0, ready.head_304(request, stored)
        else:
            fields = ready.head(request, stored)
            if asked.range is not None and status == 200 and request.method == b"GET":
                status, start, stop, fields = _part(asked, stored, fields)
    except Exception as error:  # noqa: BLE001 - whatever a policy does, the request gets its answer
        asking.failed(request, error)
        return
    lines = ready.hit_lines(stored, now_s) if how is HIT else _lines(ready, stored, how, now_s)
    took_ms = (asking.clock.monotonic() - request.started_s) * 1000.0
    timing = f"x-gateway-response-time: {took_ms:.2f}\r\nx-request-id: {request.request_id}\r\n".encode()
    head = fields, lines, timing, request.answer_lines
    if not isinstance(body, bytes):
        if status in (304, 416) or request.method == b"HEAD":
            body.close()
            body = b""
        else:
            _FromDisk(request, asking, body, status, facts).begin(b"".join(head), start, stop)
            return
    exchange = request.exchange
    piece = body
    if stop - start != len(body):  # not copied: many may take such parts slowly
        piece = cast("bytes", memoryview(body)[start:stop])
    exchange.send_whole(status, head, None if status == 304 else stop - start, [piece])
    asking.finish(request, status, "", facts)
    exchange.end()
    exchange.flush()


def give_hit(request: Request, asking: Asking, stored: Stored, body: bytes, now_s: float) -> None:
    """The whole of a fresh answer in memory: the same for most requests, without a look at what only some need."""
    request.cache = "hit"
    ready = stored.prepared or prepared(stored)
    try:
        fields = ready.head(request, stored)
    except Exception as error:  # noqa: BLE001 - as above
        asking.failed(request, error)
        return
    exchange, status = request.exchange, stored.status
    over_s = asking.monotonic()
    took = int((over_s - request.started_s) * 1e5)
    timing = _TOOK[took] if took < len(_TOOK) else _took(took)
    more = request.answer_lines
    rest = b"\r\n" + more if more else b"\r\n"
    lines = fields, ready.hit_lines(stored, now_s), timing, request.request_id.encode(), rest
    exchange.send_whole(status, lines, len(body), [body])
    asking.recorded(request, status, "", over_s)
    exchange.end()
    exchange.flush()


def _took(hundredths: int) -> bytes:
    """How long it took, in hundredths of a millisecond; the request's id is to follow, and what is before a line."""
    return b"x-gateway-response-time: %.2f\r\nx-request-id: " % (hundredths / 100.0)


_TOOK = tuple(_took(hundredths) for hundredths in range(100))  # of most hits


def _part(asked: Asked, stored: Stored, fields: bytes) -> tuple[int, int, int, bytes]:
    """(status, start, stop, head) of what a Range field asks for."""
    length = stored.length
    part = part_of(asked.range or b"", asked.if_range, stored.headers, length)
    if part is None:
        return 200, 0, length, fields
    if part is NOTHING:
        return 416, 0, 0, b"%scontent-range: bytes */%d\r\n" % (_as(416, fields), length)
    line = b"content-range: bytes %d-%d/%d\r\n" % (part.start, part.stop - 1, length)
    return 206, part.start, part.stop, _as(206, fields) + line


def _as(status: int, fields: bytes) -> bytes:
    """The same head with another status."""
    return status_line(status) + fields.partition(b"\r\n")[2]


def _lines(ready: Prepared, stored: Stored, how: How, now_s: float) -> bytes:
    age_s = max(0, int(ready.age_s + now_s - stored.response_time_s))
    ttl_s = int(stored.fresh_until_s - now_s)
    return b"age: %d\r\ncache-status: foregate; %s; ttl=%d\r\nx-cache: HIT\r\n" % (age_s, how.said, ttl_s)


class _FromDisk:
    """Sends a body that is too large for memory, a piece at a time, as fast as its client reads."""

    __slots__ = ("_asking", "_body", "_facts", "_request", "_status", "_task", "_writable")

    def __init__(self, request: Request, asking: Asking, body: DiskBody, status: int, facts: Facts) -> None:
        self._request = request
        self._asking = asking
        self._body = body
        self._status = status
        self._facts = facts
        self._writable = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None
        request.exchange.receiver = self

    def begin(self, head: bytes, start: int, stop: int) -> None:
        self._request.exchange.send_head(self._status, head, stop - start)
        self._task = spawn(self._send(start, stop), name="cached answer")

    async def _send(self, start: int, stop: int) -> None:
        exchange, body = self._request.exchange, self._body
        error = ""
        try:
            for at in range(start, stop, PIECE_BYTES):
                exchange.write(await body.read(at, min(stop, at + PIECE_BYTES)))
                exchange.flush()
                await self._writable.wait()
        except OSError:
            error = "internal"  # the file is damaged: whoever has the first half must not take it for the whole
        finally:
            body.close()
        self._asking.finish(self._request, self._status, error, self._facts)
        if error:
            exchange.abort()
        else:
            exchange.end()
            exchange.flush()

    # --- exchange.RequestReceiver ----------------------------------------------------------------------------

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        """Nobody wants one."""

    def request_aborted(self, code: str) -> None:
        if self._task is not None:
            self._task.cancel()
        self._asking.finish(self._request, ERRORS[code].status, code, self._facts)

    def response_paused(self, paused: bool) -> None:
        if paused:
            self._writable.clear()
        else:
            self._writable.set()
