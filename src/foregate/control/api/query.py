"""/query: any measure of the traffic, by any dimension, over any range; compared with an earlier one if asked."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foregate.control.api.shapes import Out
from foregate.control.deps import Asks, ControlDeps
from foregate.control.problems import describe_validation
from foregate.control.turns import Check, GaveUp, Turns
from foregate.control.wording import filters, seconds, time_range, words
from foregate.kernel.errors import ForegateError
from foregate.wire.ask import Answer, Ask, Dimension, Filter, Measure, Operator, Series

RANGE_S_MAX = 400 * 86_400.0
_STEPS = (10, 60, 300, 900, 3_600, 86_400)
_STEPS_WANTED = 120  # at most, of `step: auto`
_GONE = 499  # nobody reads it


class FilterIn(BaseModel):
    """`values`: one, or several for `in` and `not_in`."""

    model_config = ConfigDict(extra="forbid")

    field: str = Field(max_length=64)
    op: Operator = "eq"
    values: list[str] = Field(min_length=1, max_length=200)


class AskIn(BaseModel):
    """Requests of `org` (this console's; `*`: of all) from `from` until `until` (now), or of the `range` before it.

    Times are Unix seconds or RFC 3339, durations like `15m`. `step`: `auto`, `0` for one number over the whole range,
    or a duration. `compare`: `previous` for the range before this one, or how much earlier it begins, like `7d`.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    org: str | None = Field(None, max_length=200)
    range: str = Field("1h", max_length=20)
    from_: str | float | None = Field(None, alias="from")
    until: str | float | None = None
    step: str | int = Field("auto")
    measures: list[Measure] = Field(default=["requests"], min_length=1, max_length=21)
    group_by: list[Dimension] = Field(default=[], max_length=4)
    filters: list[FilterIn] = Field(default=[], max_length=20)
    order: Measure = "requests"
    top: int = Field(20, ge=1, le=1_000)
    compare: str | None = Field(None, max_length=20)


Value = int | float | None


class EarlierOut(Out):
    """The same of the range before: `change` is how much larger it is now, as a share (0.1: by a tenth)."""

    whole: dict[Measure, Value]
    values: dict[Measure, list[Value]]
    change: dict[Measure, Value]


class SeriesOut(Out):
    """`whole`: each measure over the whole range; `values`: by step, None where nothing was. `earlier`: None where the
    group had no traffic, or nothing is compared."""

    group: dict[Dimension, str]
    whole: dict[Measure, Value]
    values: dict[Measure, list[Value]]
    earlier: EarlierOut | None = None


class QueryOut(Out):
    """`from_s` is where it really begins: the beginning of a window. `until_s`: what is newer is not in yet.

    `starts_s[i]` begins the step of `values[…][i]`. `left_out`: groups beyond `top`. `from_windows`: quantiles within
    1 %; else exact, from the single events. `approximate`: measures that are estimated. `read`: windows or events.
    """

    now_s: float
    org: str
    from_s: float
    until_s: float
    step_s: int
    earlier_s: float | None
    starts_s: list[float]
    series: list[SeriesOut]
    left_out: int
    from_windows: bool
    approximate: list[str]
    read: int
    took_ms: float


def query_router(deps: ControlDeps, turns: Turns) -> APIRouter:
    router = APIRouter(tags=["query"])

    async def answered(request: Request, given: AskIn) -> QueryOut | Response:
        if deps.asks is None:
            raise ForegateError("not_found", "No telemetry is kept here.")
        ask, shift_s = to_ask(given, deps)
        asks = deps.asks
        began_s = deps.clock.monotonic()
        try:
            answer, before = await turns.run(request, lambda check: _asked(asks, ask, shift_s, check))
        except GaveUp:
            return Response(status_code=_GONE)
        took_ms = (deps.clock.monotonic() - began_s) * 1000.0
        return _out(ask, answer, before, shift_s, deps.clock.now(), took_ms)

    @router.post("/query", summary="Ask about traffic", response_model=QueryOut)
    async def query(request: Request, ask: Annotated[AskIn, Body()]) -> QueryOut | Response:
        return await answered(request, ask)

    @router.get(
        "/query",
        summary="Ask about traffic, in an address",
        response_model=QueryOut,
        description="As POST /query; lists with commas, `filter=service=payments;status_class=4xx|5xx;route^=/api`.",
    )
    async def query_by_address(
        request: Request,
        measures: Annotated[str, Query(max_length=400)] = "requests",
        group_by: Annotated[str, Query(max_length=200)] = "",
        range: Annotated[str, Query(max_length=20)] = "1h",  # noqa: A002 - the parameter's name
        from_: Annotated[str | None, Query(alias="from", max_length=40)] = None,
        until: Annotated[str | None, Query(max_length=40)] = None,
        step: Annotated[str, Query(max_length=20)] = "auto",
        filter: Annotated[str, Query(max_length=4_000)] = "",  # noqa: A002 - the parameter's name
        order: Annotated[str, Query(max_length=40)] = "requests",
        top: Annotated[int, Query(ge=1, le=1_000)] = 20,
        compare: Annotated[str | None, Query(max_length=20)] = None,
        org: Annotated[str | None, Query(max_length=200)] = None,
    ) -> QueryOut | Response:
        given = {
            "org": org, "range": range, "from": from_, "until": until, "step": step, "measures": words(measures),
            "group_by": words(group_by), "order": order, "top": top, "compare": compare,
            "filters": [
                {"field": one.field, "op": one.op, "values": list(one.values)} for one in filters(filter)
            ],
        }  # fmt: skip
        try:
            return await answered(request, AskIn.model_validate(given))
        except ValidationError as error:
            detail = describe_validation([{**one, "loc": ("query", *one["loc"])} for one in error.errors()])
            raise ForegateError("invalid_parameter", detail) from error

    return router


def to_ask(given: AskIn, deps: ControlDeps) -> tuple[Ask, float | None]:
    """The question, and how much earlier it is to be asked too. Raises ForegateError("invalid_parameter")."""
    from_ = None if given.from_ is None else str(given.from_)
    until = None if given.until is None else str(given.until)
    from_s, until_s = time_range(deps.clock.now(), given.range, from_, until, RANGE_S_MAX)
    length_s = until_s - from_s
    ask = Ask(
        given.org or deps.snapshot().org,
        from_s,
        until_s,
        tuple(dict.fromkeys(given.measures)),
        _auto_step(length_s) if given.step == "auto" else seconds("step", str(given.step)),
        tuple(given.group_by),
        tuple(Filter(one.field, one.op, tuple(one.values)) for one in given.filters),
        given.order,
        given.top,
    )
    if given.compare is None:
        return ask, None
    return ask, length_s if given.compare == "previous" else float(seconds("compare", given.compare))


def _auto_step(length_s: float) -> int:
    return next((step for step in _STEPS if length_s / step <= _STEPS_WANTED), _STEPS[-1])


def _asked(asks: Asks, ask: Ask, shift_s: float | None, check: Check) -> tuple[Answer, Answer | None]:
    if shift_s is None:
        return asks.ask(ask, check), None
    return asks.compared(ask, shift_s, check)


def _out(
    ask: Ask, answer: Answer, before: Answer | None, shift_s: float | None, now_s: float, took_ms: float
) -> QueryOut:
    earlier = {series.group: series for series in before.series} if before else {}
    return QueryOut(
        now_s=now_s,
        org=ask.org,
        from_s=answer.from_s or ask.from_s,
        until_s=answer.until_s,
        step_s=ask.step_s,
        earlier_s=shift_s,
        starts_s=list(answer.series[0].starts_s) if answer.series else [],
        series=[_series(ask, series, earlier.get(series.group)) for series in answer.series],
        left_out=answer.left_out,
        from_windows=answer.from_windows,
        approximate=list(answer.approximate),
        read=answer.read + (before.read if before else 0),
        took_ms=round(took_ms, 1),
    )


def _series(ask: Ask, series: Series, earlier: Series | None) -> SeriesOut:
    whole = _whole(ask, series)
    return SeriesOut(
        group=dict(zip(ask.group_by, series.group, strict=True)),
        whole=whole,
        values=_values(ask, series),
        earlier=_earlier(ask, whole, earlier) if earlier else None,
    )


def _earlier(ask: Ask, now: dict[Measure, Value], earlier: Series) -> EarlierOut:
    whole = _whole(ask, earlier)
    changes = {measure: _change(now[measure], whole[measure]) for measure in ask.measures}
    return EarlierOut(whole=whole, values=_values(ask, earlier), change=changes)


def _change(now: Value, before: Value) -> Value:
    return (now - before) / before if now is not None and before else None


def _whole(ask: Ask, series: Series) -> dict[Measure, Value]:
    return dict(zip(ask.measures, map(_rounded, series.whole), strict=True))


def _values(ask: Ask, series: Series) -> dict[Measure, list[Value]]:
    columns: Sequence[Sequence[float | None]] = series.values or [()] * len(ask.measures)
    return {
        measure: [_rounded(value) for value in column] for measure, column in zip(ask.measures, columns, strict=True)
    }


def _rounded(value: Value) -> Value:
    return round(value, 5) if isinstance(value, float) else value
