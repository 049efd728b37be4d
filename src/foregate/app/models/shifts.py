"""Whether the models in force still fit their organisations' traffic: what they judged by is counted, and now and then
held against what they learned from. For the analyzer."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import structlog
from numpy.typing import NDArray

from foregate.app.models.bundled import bundled_version
from foregate.kernel.clock import Clock
from foregate.kernel.limits import MODEL_ORGS_MAX
from foregate.ports.models import ModelRegistry
from foregate.predict.registry.shift import Alarms, Reference, ShiftWatch, Verdict, decode_reference
from foregate.wire.alert import Alert
from foregate.wire.models import Shift

SAY_EVERY_S: Final = 3_600.0
LOOK_BACK_S: Final = 7 * 86_400.0  # of alerts: as long as features are counted
IN_TURN_FROM: Final = 1_000  # APIs of an organisation: they may be judged in turn, and nobody knows how many there are
SETTLED: Final = ("failed", "no_failure")
Rows = NDArray[np.floating]
ReferenceOf = Callable[[str, str], Reference | None]  # (org, version of the model) → what it learned from


class _Watched(NamedTuple):
    version: str
    watch: ShiftWatch | None  # None: nobody knows what this model learned from
    state: str = "unknown"


class Shifts:
    """`alerts`: the latest ones, of everybody. `budget(org)`: false alarms per API and day, None where nobody has
    promised a number. At most `MODEL_ORGS_MAX` organisations are watched: further ones have no
    verdict. Verdicts go to the registry, and a change of one to the log."""

    def __init__(
        self,
        registry: ModelRegistry,
        reference_of: ReferenceOf,
        alerts: Callable[[], Sequence[Alert]],
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
        *,
        budget: Callable[[str], float | None],
    ) -> None:
        self._registry = registry
        self._reference_of = reference_of
        self._alerts = alerts
        self._clock = clock
        self._log = log
        self._budget = budget
        self._watched: dict[str, _Watched] = {}
        self._minute: dict[str, int] = {}  # the last one that was counted
        self._in_turn: set[str] = set()
        self._say_at_s = clock.monotonic() + SAY_EVERY_S

    def observe(self, org: str, version: str, rows: Rows, time_s: float) -> None:
        """The features (n, F) that a model judged an organisation's APIs by. Of a minute the first call counts."""
        minute = int(time_s // 60)
        if self._minute.get(org) == minute:
            return
        known = self._watched.get(org)
        if known is None or known.version != version:
            if known is None and len(self._watched) >= MODEL_ORGS_MAX:
                return
            known = self._watched[org] = self._begin(org, version)
        self._minute[org] = minute
        if len(rows) > IN_TURN_FROM:
            self._in_turn.add(org)
        if known.watch is not None:
            known.watch.observe(rows, time_s)

    def say(self) -> None:
        """Once in `SAY_EVERY_S` the verdicts. A registry that cannot be written now is written the next time."""
        if self._clock.monotonic() < self._say_at_s:
            return
        self._say_at_s = self._clock.monotonic() + SAY_EVERY_S
        now_s = self._clock.now()
        alerts = self._alerts() if self._watched else ()
        for org, each in self._watched.items():
            verdict = self._verdict(org, each, alerts, now_s)
            try:
                self._registry.put_shift(org, Shift(now_s, each.version, *verdict[:3]))
                if each.watch is not None:
                    self._registry.put_counts(org, each.version, each.watch.dump())
            except OSError as error:
                self._log.warning("shift_not_written", org=org, error=str(error))
            if verdict.state != each.state:
                say = self._log.warning if verdict.state in ("drifting", "no longer fits") else self._log.info
                say("model_fit_changed", org=org, version=each.version, state=verdict.state, why=verdict.sentences)
                self._watched[org] = each._replace(state=verdict.state)

    def _begin(self, org: str, version: str) -> _Watched:
        try:
            reference = self._reference_of(org, version)
        except (OSError, ValueError) as error:
            self._log.warning("reference_unusable", org=org, version=version, error=str(error))
            reference = None
        if reference is None:
            return _Watched(version, None)
        watch = ShiftWatch(reference)
        try:
            counts = self._registry.counts(org, version)
            if counts is not None:
                watch.load(counts)
        except (OSError, ValueError) as error:
            self._log.warning("shift_counts_unusable", org=org, error=str(error), effect="counted anew")
        return _Watched(version, watch)

    def _verdict(self, org: str, each: _Watched, alerts: Sequence[Alert], now_s: float) -> Verdict:
        if each.watch is None:
            return Verdict("unknown", ("what this model learned from is not recorded beside it",), 0, None)
        of = [alert for alert in alerts if alert.entity.org == org and alert.model_version == each.version]
        # Older alerts, of before it was rolled back and came again, stand beside no days that were counted.
        since_s = max(each.watch.since_s, now_s - LOOK_BACK_S)
        of = [alert for alert in of if alert.outcome in SETTLED and alert.raised_s >= since_s]
        scores = np.array([alert.score for alert in of], dtype=np.float64)
        failed = np.array([alert.outcome == "failed" for alert in of], dtype=bool)
        api_days = 0.0 if org in self._in_turn else each.watch.api_days
        return each.watch.verdict(Alarms(scores, failed, api_days, self._budget(org)))


def reference_in(
    registry: ModelRegistry, bundled: Callable[[], bytes | None], version_of_it: Callable[[], str] = bundled_version
) -> ReferenceOf:
    """What models of the registry, and the bundled one, learned from; of any other file nobody knows."""

    def of(org: str, version: str) -> Reference | None:
        try:
            return decode_reference(registry.read(org, version, "reference.json"))
        except FileNotFoundError:
            content = bundled() if version == version_of_it() else None
            return decode_reference(content) if content is not None else None

    return of
