"""Days of minutes out of the series store, which keeps them a week, into files that are kept to learn from."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from foregate.adapters.embedded.minutes import DAY_S, EmbeddedMinutes, MinuteRows
from foregate.app.training.assemble import assemble, mark_changes
from foregate.app.training.beside import NOTHING_BESIDE, Beside
from foregate.kernel.errors import ForegateError
from foregate.kernel.limits import LEARN_API_MINUTES_MAX, LEARN_DAYS_MAX
from foregate.ports.series import SeriesReader
from foregate.predict.evaluate.system import COLUMN, System
from foregate.telemetry.retention import Retention
from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS, signals_of, traffic_of
from foregate.wire.window import StoredWindow

SETTLED_S: Final = 3_600.0  # after its end a day may still get late events
SPAN_S: Final = 60
ENTITIES_A_SCAN: Final = 20  # a day of so many: 28,800 windows at once
APIS_A_DAY_MAX: Final = LEARN_API_MINUTES_MAX * 60 // DAY_S  # kept, the busiest: more are never learnt from at once
RANKED_S: Final = 900  # windows of so long tell which are the busiest …
RANKED_ROWS_MAX: Final = 10_000_000  # … and so many of them at most are added up: a day of 100,000 APIs


class Collector:
    """What an organisation's traffic was, minute by minute. Blocking; raises OSError."""

    def __init__(
        self, series: SeriesReader, minutes: EmbeddedMinutes, retention: Retention, beside: Beside = NOTHING_BESIDE
    ) -> None:
        self._series = series
        self._minutes = minutes
        self._retention = retention
        self._beside = beside

    def orgs(self) -> Sequence[str]:
        """Those with any windows."""
        return sorted({entity.org for entity in self._series.entities()})

    def collect(self, org: str, now_s: float) -> int:
        """Take over the days that are over and not kept yet, and let go of what is too old. Returns how many days.

        An organisation whose single items are kept for fewer days keeps its minutes no longer.
        """
        days = min(LEARN_DAYS_MAX, self._retention.by_org.get(org, LEARN_DAYS_MAX))
        today = int((now_s - SETTLED_S) // DAY_S)
        self._minutes.expire(org, int(now_s // DAY_S) - days)
        kept = set(self._minutes.days(org))
        oldest = today - min(days, int(self._retention.kept_s(SPAN_S, org) // DAY_S))
        taken = 0
        for day in range(oldest, today):
            if day not in kept and len((rows := self._scan(org, day * DAY_S, (day + 1) * DAY_S)).time_s):
                self._minutes.put(org, day, rows)
                taken += 1
        return taken

    def system(self, org: str, now_s: float) -> tuple[System, int]:
        """All minutes that are kept and those since, and how many APIs are left out for the bound of what is learnt
        from at once: the ones with the least traffic."""
        days = self._minutes.days(org)
        until_s = int(now_s // SPAN_S * SPAN_S)
        today_s = (days[-1] + 1) * DAY_S if days else int(now_s // DAY_S) * DAY_S - DAY_S
        rest = self._scan(org, today_s, until_s)
        start_s = days[0] * DAY_S if days else today_s
        minutes = max(0, (until_s - start_s) // SPAN_S)
        entities, left_out = self._busiest(org, days, rest, minutes)
        calls = frozenset((caller, callee) for whose, _, caller, callee in self._beside.calls(now_s) if whose == org)
        system = assemble(org, entities, start_s, minutes, self._parts(org, days, rest), calls)
        mark_changes(system, self._beside.changes(start_s, until_s), self._beside.configured)
        return system, left_out

    def _parts(self, org: str, days: Sequence[int], rest: MinuteRows) -> Iterable[MinuteRows]:
        for day in days:
            yield self._minutes.read(org, day)
        yield rest

    def _busiest(self, org: str, days: Sequence[int], rest: MinuteRows, minutes: int) -> tuple[tuple[Entity, ...], int]:
        total: dict[Entity, float] = {}
        for day in days:
            for entity, count in self._minutes.requests(org, day).items():
                total[entity] = total.get(entity, 0.0) + count
        for number, count in zip(rest.entity.tolist(), rest.values[:, COLUMN["requests"]].tolist(), strict=True):
            total[rest.entities[number]] = total.get(rest.entities[number], 0.0) + count
        by_traffic = sorted(total, key=lambda entity: (-total[entity], entity))
        chosen = by_traffic[: max(1, LEARN_API_MINUTES_MAX // max(minutes, 1))]
        known = len(self._series.entities(org))
        whole = max(known, len(by_traffic)) if known > APIS_A_DAY_MAX else len(by_traffic)
        return tuple(sorted(chosen)), whole - len(chosen)

    def _kept(self, org: str, from_s: int, until_s: int) -> tuple[Entity, ...]:
        """Whose minutes are taken over. Raises OSError."""
        known = self._series.entities(org)
        if len(known) <= APIS_A_DAY_MAX:
            return tuple(known)
        try:
            sums = self._series.sums("requests", RANKED_S, from_s, until_s, org=org, rows_max=RANKED_ROWS_MAX)
        except ForegateError as error:
            raise OSError(f"there are too many APIs of {org} to find the busiest: {error.detail}") from error
        ranked = sorted(sums, key=lambda one: (-one[1], one[0]))
        return tuple(sorted(entity for entity, _ in ranked[:APIS_A_DAY_MAX]))

    def _scan(self, org: str, from_s: int, until_s: int) -> MinuteRows:
        entities = self._kept(org, from_s, until_s)
        number = {entity: i for i, entity in enumerate(entities)}
        parts = [_rows(number, ())]
        days = max(1, -(-(until_s - from_s) // DAY_S))
        step = max(1, ENTITIES_A_SCAN // days)
        for first in range(0, len(entities), step):
            chosen = entities[first : first + step]
            found = self._series.scan(SPAN_S, from_s, until_s, entities=chosen, rows_max=1_000_000, sketches="none")
            parts.append(_rows(number, found))
        entity, time_s, values = (np.concatenate(column) for column in zip(*parts, strict=True))
        return MinuteRows(entities, entity, time_s, values)


def _rows(number: dict[Entity, int], windows: Sequence[StoredWindow]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values = np.full((len(windows), len(COLUMNS)), np.nan, dtype=np.float32)
    for row, window in zip(values, windows, strict=True):
        traffic = traffic_of(window.stats)
        row[: len(traffic)] = traffic
        for name, value in signals_of(window.stats).items():
            row[COLUMN[name]] = value
    entity = np.array([number[window.entity] for window in windows], dtype=np.int64)
    return entity, np.array([int(window.stats.start_s) for window in windows], dtype=np.int64), values
