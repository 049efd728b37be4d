"""Questions about traffic (`wire.ask`): from the windows where they can answer, else from the single events."""

from collections.abc import Callable, Mapping
from math import ceil, floor, isfinite, prod

from msgspec.structs import replace

from foregate.kernel.clock import Clock
from foregate.kernel.errors import ForegateError
from foregate.ports.archive import ArchiveReader
from foregate.ports.series import SeriesReader
from foregate.telemetry.query.plan import ALL_SPANS_S, Known
from foregate.telemetry.query.recent import Recent, RecentReader
from foregate.telemetry.query.rolled import why_raw
from foregate.telemetry.query.windowed import PRECISION, Bounds, Windowed
from foregate.wire.ask import DIMENSIONS, MEASURES, Answer, Ask, Filter

TOP_MAX = 1_000
STEPS_MAX = 5_000
VALUES_MAX = 200_000  # series × steps × measures of one answer
EVENTS_READ_MAX = 60_000_000  # single events that one question may look at
GROUP_BY_MAX = 4
FILTERS_MAX = 20
DAY_S = 86_400
RANGE_S_MAX = 400.0 * DAY_S


def never() -> None:
    """A question that nobody takes back."""


class Asker:
    """Blocking; threads may share it. `kept_s`: how long windows of a span (and an org) are kept, in seconds."""

    def __init__(
        self,
        series: SeriesReader,
        archive: ArchiveReader | None,
        clock: Clock,
        kept_s: Callable[[int, str | None], float],
        bounds: Bounds | None = None,
    ) -> None:
        self._recent = Recent(clock)
        self._reader = RecentReader(series, clock, self._recent)
        self._archive = archive
        self._clock = clock
        self._kept_s = kept_s
        self._bounds = bounds or Bounds()

    def ask(self, ask: Ask, check: Callable[[], None] = never) -> Answer:
        """Raises ForegateError: invalid_parameter, query_too_large, query_timeout. Raises OSError."""
        check_ask(ask)
        raw = why_raw(ask)
        if raw:
            return self._of_events(ask, raw)
        try:
            answer = self._of_windows(ask, check)
        except ForegateError as error:
            if error.spec.code != "query_too_large" or self._archive is None:
                raise
            return self._of_events(ask, error.detail)
        if answer is None:
            return self._of_events(ask, _not_kept(ask, self._kept(ask)))
        return answer

    def compared(self, ask: Ask, shift_s: float, check: Callable[[], None] = never) -> tuple[Answer, Answer]:
        """The answer, and that of the same range `shift_s` earlier about the same groups; of none where it is not kept
        as a whole."""
        answer = self.ask(ask, check)
        if not answer.series:
            return answer, replace(answer, from_s=ask.from_s - shift_s, until_s=ask.until_s - shift_s)
        values = [sorted({series.group[at] for series in answer.series}) for at in range(len(ask.group_by))]
        same = tuple(
            Filter(name, "in", tuple(names))
            for name, names in zip(ask.group_by, values, strict=True)
            if name != "key_id" or not answer.from_windows  # windows have the busiest keys, and no others
        )
        until_s = min(ask.until_s, self._clock.now())  # as much of it as there is of this one
        earlier = replace(
            ask,
            from_s=ask.from_s - shift_s,
            until_s=until_s - shift_s,
            filters=ask.filters + same,
            top=min(TOP_MAX, max(ask.top, prod(map(len, values)))),
        )
        before = self.ask(earlier, check)
        shown = {series.group for series in answer.series}
        if before.from_s > earlier.from_s + (earlier.until_s - earlier.from_s) / PRECISION:
            shown = set()  # a part of it is not kept any more: compared with the whole, it would mislead
        return answer, replace(before, series=tuple(one for one in before.series if one.group in shown), left_out=0)

    def _of_windows(self, ask: Ask, check: Callable[[], None]) -> Answer | None:
        now_s = self._clock.now()
        first_day, last_day = floor(ask.from_s / DAY_S), ceil(ask.until_s / DAY_S)  # whole ones: asked for again
        stale_s = self._reader.stale(first_day * DAY_S, (last_day + 1) * DAY_S, 3_600)
        oldest_s = {span: now_s - kept for span, kept in self._kept(ask).items()}
        return Windowed(self._reader, ask, Known(now_s, oldest_s, stale_s), self._bounds, check).answer()

    def _kept(self, ask: Ask) -> dict[int, float]:
        org = None if ask.org == "*" else ask.org
        return {span: self._kept_s(span, org) for span in ALL_SPANS_S}

    def _of_events(self, ask: Ask, why: str) -> Answer:
        if self._archive is None:
            raise ForegateError("invalid_parameter", f"The windows cannot answer it ({why}), and no archive is kept.")
        if ask.org == "*":
            orgs = self._archive.orgs()
            if len(orgs) > 1:
                known = ", ".join(sorted(orgs)[:20])
                raise ForegateError("invalid_parameter", f"org: {why}, so it takes one org; known: {known}.")
            ask = replace(ask, org=orgs[0] if orgs else "")
        try:
            return self._archive.ask(ask, rows_max=EVENTS_READ_MAX)
        except ForegateError as error:
            if error.spec.code != "query_too_large":
                raise
            raise ForegateError(
                "query_too_large", f"From windows: {why}. From single events: {error.detail}"
            ) from error


def check_ask(ask: Ask) -> None:
    """What makes no sense in any store. Raises ForegateError("invalid_parameter"), or ("query_too_large")."""
    wrong = _wrong(ask)
    if wrong:
        raise ForegateError("invalid_parameter", wrong)
    steps = (ask.until_s - ask.from_s) / ask.step_s if ask.step_s else 0
    if steps > STEPS_MAX:
        raise ForegateError(
            "query_too_large", f"step: {steps:,.0f} steps are more than {STEPS_MAX:,}: ask for longer ones."
        )
    series = ask.top if ask.group_by else 1
    if (values := steps * series * len(ask.measures)) > VALUES_MAX:
        raise ForegateError(
            "query_too_large",
            f"The answer would hold {values:,.0f} values (steps × top × measures), more than {VALUES_MAX:,}: ask for "
            "longer steps, fewer series (top) or fewer measures.",
        )


def _wrong(ask: Ask) -> str:
    if not (isfinite(ask.from_s) and isfinite(ask.until_s)) or ask.from_s >= ask.until_s:
        return "until: the range must end after it begins."
    if ask.until_s - ask.from_s > RANGE_S_MAX:
        return f"range: at most {RANGE_S_MAX / DAY_S:.0f} days."
    if ask.step_s < 0:
        return "step: a number of seconds, or 0 for one step."
    if not ask.measures:
        return f"measures: at least one of {', '.join(MEASURES)}."
    for name in ask.group_by:
        if name not in DIMENSIONS:
            return f"group_by: {name[:50]!r} is none of {', '.join(DIMENSIONS)}."
    if len(ask.group_by) > GROUP_BY_MAX or len(set(ask.group_by)) < len(ask.group_by):
        return f"group_by: at most {GROUP_BY_MAX} different ones."
    for measure in (*ask.measures, ask.order):
        if measure not in MEASURES:
            return f"measures: {measure[:50]!r} is none of {', '.join(MEASURES)}."
    if not 1 <= ask.top <= TOP_MAX:
        return f"top: 1 to {TOP_MAX}."
    if len(ask.filters) > FILTERS_MAX:
        return f"filter: at most {FILTERS_MAX} of them."
    return ""


def _not_kept(ask: Ask, kept_s: Mapping[int, float]) -> str:
    fitting = [span for span in kept_s if ask.step_s % span == 0]
    if not fitting:
        return f"no window divides a step of {ask.step_s} s (windows are of {', '.join(map(str, kept_s))} s)"
    longest = max(fitting)
    return f"windows of {longest} s are kept for {kept_s[longest] / 3_600:,.0f} hours"
