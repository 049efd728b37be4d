"""GET /export: everything of a range as a file, in bounded memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from foregate.control.api.requests import RANGE_S_MAX, FilterText, FromText, OrgName, RangeText, UntilText, items_of
from foregate.control.deps import ControlDeps
from foregate.control.export import ENCODERS, Column, RowEncoder
from foregate.control.wording import filters, seconds, time_range
from foregate.kernel.errors import ForegateError

EXPORTS_MAX = 2  # at a time; one more is refused with `overloaded`
ROWS_MAX = 20_000_000  # then it is broken off, so that nobody takes a part for the whole
Kind = Literal["events", "spans", "points", "windows"]
Format = Literal["csv", "ndjson", "json", "parquet"]
_PARQUET = "application/vnd.apache.parquet"
_DESCRIPTION = """Items newest first, windows oldest first, with all their fields. In CSV a text that begins with
`= + - @`, a tab or a carriage return gets an apostrophe before it, so that no spreadsheet runs it as a formula. An
export that fails on its way ends without its last chunk: the client reports it as incomplete."""


class ExportStream(StreamingResponse):
    """Holds its turn as long as it is read. The next piece is read when the one before is sent."""

    def __init__(self, turn: asyncio.Semaphore, pieces: Iterator[bytes], media_type: str, name: str) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        super().__init__((), media_type=media_type, headers=headers)
        self._turn = turn
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._turn.locked():
            raise ForegateError("overloaded", f"{EXPORTS_MAX} exports are under way already.")
        async with self._turn:
            first = await run_in_threadpool(next, self._pieces, b"")  # what is wrong is said before the answer begins
            self.body_iterator = _sent(first, self._pieces)
            await super().__call__(scope, receive, send)


def export_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["query"])
    turn = asyncio.Semaphore(EXPORTS_MAX)

    @router.get(
        "/export",
        summary="Requests, spans, points or windows as a file",
        description=_DESCRIPTION,
        response_class=Response,
        responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    )
    async def export(
        kind: Kind = "events",
        format: Format = "csv",  # noqa: A002 - the parameter's name
        range: RangeText = "1h",  # noqa: A002 - the parameter's name
        from_: FromText = None,
        until: UntilText = None,
        filter: FilterText = "",  # noqa: A002 - the parameter's name
        span: Annotated[str, Query(max_length=20, description="Of windows: 10s, 1m, 5m, 15m, 1h or 1d.")] = "1h",
        org: OrgName = None,
    ) -> Response:
        items, now_s = items_of(deps), deps.clock.now()
        from_s, until_s = time_range(now_s, range, from_, until, RANGE_S_MAX)
        whose, given = org or deps.snapshot().org, filters(filter)
        media_type, encoder = _encoder(deps, format, [Column(*each) for each in items.columns(kind)])
        rows = items.rows(kind, whose, from_s, until_s, given, seconds("span", span))
        name = f"foregate-{kind}-{_stamp(from_s)}-{_stamp(until_s)}.{format}"
        return ExportStream(turn, _pieces(rows, encoder), media_type, name)

    return router


def _encoder(deps: ControlDeps, format_: Format, columns: Sequence[Column]) -> tuple[str, RowEncoder]:
    if format_ != "parquet":
        media_type, make = ENCODERS[format_]
        return media_type, make(columns)
    if deps.parquet is None:
        raise ForegateError("invalid_parameter", "format: Parquet is not available here; known: csv, ndjson, json.")
    parquet: Callable[[Sequence[Any]], RowEncoder] = deps.parquet
    return _PARQUET, parquet(columns)


def _pieces(rows: Iterator[list[Any]], encoder: RowEncoder) -> Iterator[bytes]:
    """Blocking. Raises ForegateError, OSError."""
    count = 0
    begun = False
    for some in rows:
        if not begun:
            begun = True
            yield encoder.begin()
        count += len(some)
        if count > ROWS_MAX:
            raise ForegateError("query_too_large", f"More than {ROWS_MAX:,} rows: export shorter ranges.")
        piece = encoder.rows(some)
        if piece:
            yield piece
    yield (b"" if begun else encoder.begin()) + encoder.end()


async def _sent(first: bytes, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    while True:
        piece = await run_in_threadpool(next, pieces, None)
        if piece is None:
            return
        if piece:
            yield piece


def _stamp(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y%m%dT%H%M%SZ")
