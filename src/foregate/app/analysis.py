"""The analyzer's work: events become windows, windows verdicts, and verdicts reach the stores, the bus and people."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec
import structlog

from foregate.adapters.embedded.findings import EmbeddedFindings
from foregate.app.models.choice import ModelChoice
from foregate.app.models.shifts import Shifts
from foregate.app.notify import Notifications
from foregate.app.objectives import ObjectiveWatch
from foregate.app.signals import Signals
from foregate.app.stores import SeriesStore
from foregate.kernel.clock import Clock
from foregate.kernel.ids import new_id
from foregate.kernel.limits import HISTORY_MINUTES_MAX, OPEN_ALERTS_MAX
from foregate.ports.bus import Bus
from foregate.predict import Analyst, Model
from foregate.predict.analyst import Verdicts
from foregate.predict.season import QUARTER_S
from foregate.telemetry.consumer import Consumer
from foregate.wire import TOPIC_ALERTS, TOPIC_ANOMALIES, TOPIC_RISKS
from foregate.wire.entity import Entity
from foregate.wire.objective import ObjectiveSet
from foregate.wire.risk import Risk
from foregate.wire.window import StoredWindow, WindowStats

TICK_S = 10
TICK_DELAY_S = 2.0  # how long a tick waits for events that are on their way through spool and bus
MINUTE_DELAY_S = 5.0  # the same for a closed minute, which is learnt once and for all
EXPIRE_EVERY_S = 60.0
FINDINGS_RETENTION_S = 30 * 86_400.0
HOUR_S: Final = 3_600.0
SEASON_DAYS: Final = 7  # of quarters of an hour that are read at a start, a day at a time …
SEASON_ROWS_MAX: Final = 2_000_000  # … and at most so many windows, the newest days first
_encode = msgspec.msgpack.Encoder().encode


class Analysis:
    """One analyzer. Call `step` about once a second; it may raise OSError, then call it again: verdicts are kept."""

    def __init__(
        self,
        *,
        bus: Bus,
        series: SeriesStore,
        findings: EmbeddedFindings,
        consumer: Consumer,
        analyst: Analyst,
        notifications: Notifications,
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
        objectives: ObjectiveWatch | None = None,
        models: ModelChoice[Model] | None = None,
        shifts: Shifts | None = None,
        signals: Signals | None = None,
    ) -> None:
        self._models, self._shifts, self._signals = models, shifts, signals
        self._objectives = objectives or ObjectiveWatch(ObjectiveSet(), series, findings, log)
        self._bus = bus
        self._series = series
        self._findings = findings
        self._consumer = consumer
        self._analyst = analyst
        self._notifications = notifications
        self._clock = clock
        self._log = log
        self._producer = new_id("a")
        self._sequence = 0
        self._last_tick_s = 0.0
        self._newest_s = 0.0  # the start of the newest minute that was learned
        self._owed = Verdicts()  # judged, but not stored yet: the analyst will not say it a second time
        self._last_expire_s = clock.monotonic()
        self.risks: Sequence[Risk] = ()  # of the last tick

    def restore(self) -> None:
        """Take up what an earlier analyzer knew: its open findings, and each entity's past minutes."""
        now_s = self._clock.now()
        alerts = self._findings.alerts(state=None, limit=OPEN_ALERTS_MAX, before=None)
        anomalies = self._findings.anomalies(from_s=now_s - 86_400.0, limit=OPEN_ALERTS_MAX)
        self._analyst.restore(
            [each for each in alerts if each.kind == "risk" and (each.state == "open" or each.outcome == "pending")],
            [anomaly for anomaly in anomalies if anomaly.ended_s is None],
        )
        # Minutes that the windower will close again itself are the younger ones; both sides know where that begins.
        until_s = (now_s - MINUTE_DELAY_S) // 60 * 60
        self._consumer.windower.closed_minutes(until_s)
        self._restore_season(until_s)
        for from_s in range(int(until_s) - HISTORY_MINUTES_MAX * 60, int(until_s), int(HOUR_S)):
            end_s = min(from_s + HOUR_S, until_s)
            stored = self._series.scan(60, from_s, end_s, rows_max=4_000_000, sketches="none")
            self._analyst.learn((window.entity, window.stats) for window in stored)
        self._objectives.restore(until_s)

    def _restore_season(self, until_s: float) -> None:
        """What the days before were like, by the quarter of an hour, as far back as the bound allows."""
        days: list[Sequence[StoredWindow]] = []
        rows = 0
        for back in range(SEASON_DAYS + 1):
            end_s = until_s - back * 86_400.0
            stored = self._series.scan(
                QUARTER_S, end_s - 86_400.0, end_s, rows_max=SEASON_ROWS_MAX - rows, sketches="none"
            )
            rows += len(stored)
            days.append(stored)
            if rows >= SEASON_ROWS_MAX or not stored:
                break
        for day in reversed(days):
            for start_s, windows in _by_start((window.entity, window.stats) for window in day):
                self._analyst.learn_quarters(start_s, windows)

    @property
    def caught_up(self) -> bool:
        """Whether the last step read all there was: if not, the next one is due at once."""
        return self._consumer.caught_up

    def step(self) -> None:
        """Read the bus, and judge when a tick is due."""
        self._deliver()
        self._read()
        now_s = self._clock.now()
        tick_s = (now_s - TICK_DELAY_S) // TICK_S * TICK_S
        if tick_s != self._last_tick_s and self._consumer.caught_up:
            self._learn(self._consumer.windower.closed_minutes(now_s - MINUTE_DELAY_S))
            self._owed = self._analyst.judge(self._consumer.windower.ticks(tick_s))
            self._owed.alerts.extend(self._objectives.judge(tick_s))
            self.risks = self._owed.risks
            self._last_tick_s = tick_s
            self._deliver()
        self._consumer.roll_up()
        if self._clock.monotonic() - self._last_expire_s > EXPIRE_EVERY_S:
            self._last_expire_s = self._clock.monotonic()
            self._tidy(now_s)

    def _learn(self, minutes: Sequence[tuple[Entity, WindowStats]]) -> None:
        """Closed minutes; the newest with what stands beside it: that is known as of now, not of some minutes ago."""
        self._objectives.learn(minutes)
        for start_s, of_minute in _by_start(minutes):
            beside: Mapping[Entity, Mapping[str, float]] = {}
            if self._signals is not None and start_s >= self._newest_s:
                beside = self._signals.minute(start_s, [entity for entity, _ in of_minute])
                self._analyst.connect(self._signals.calls())
            self._newest_s = max(self._newest_s, start_s)
            self._analyst.learn(of_minute, beside)
        if self._models is not None:
            self._models.look()
        if self._shifts is not None and minutes:
            self._shifts.say()

    def _read(self) -> None:
        lost_before, set_back_before = self._consumer.lost_batches, self._consumer.clock_set_back
        self._consumer.step()
        if self._consumer.clock_set_back != set_back_before:
            self._log.warning("clock_was_set_back", effect="windows begin anew at the clock's time")
        if lost := self._consumer.lost_batches - lost_before:
            self._log.error("events_lost_unread", batches=lost, reason="the bus was at its bound before they were read")

    def _tidy(self, now_s: float) -> None:
        self._consumer.expire()
        self._findings.expire(now_s - FINDINGS_RETENTION_S)
        for topic in (TOPIC_RISKS, TOPIC_ANOMALIES, TOPIC_ALERTS):
            self._bus.expire(topic, now_s - 3_600.0)

    def _deliver(self) -> None:
        """Store what was judged, alerts first, publish it, and only then tell people.

        After an OSError all of it is done again: storing replaces by id, and the bus gets messages at least once.
        """
        verdicts, findings = self._owed, self._findings
        if verdicts.alerts:
            findings.put_alerts(verdicts.alerts)
        if verdicts.anomalies:
            findings.put_anomalies(verdicts.anomalies)
        if verdicts.risks:
            findings.put_risks(verdicts.risks)
        self._objectives.store()
        self._publish(TOPIC_ALERTS, verdicts.alerts)
        self._publish(TOPIC_ANOMALIES, verdicts.anomalies)
        self._publish(TOPIC_RISKS, verdicts.risks)
        self._owed = Verdicts()
        for alert in verdicts.alerts:
            if alert.raised_s == alert.updated_s:
                self._log.warning("alert", id=alert.id, title=alert.title, score=alert.score, reasons=alert.reasons)
            else:
                self._log.info("alert_changed", id=alert.id, state=alert.state, outcome=alert.outcome)
            self._notifications.offer(alert)

    def _publish(self, topic: str, messages: Sequence[Any]) -> None:
        if not messages:
            return
        self._sequence += 1
        self._bus.append(topic, 0, _encode(messages), len(messages), producer=self._producer, sequence=self._sequence)


def _by_start(
    minutes: Iterable[tuple[Entity, WindowStats]],
) -> list[tuple[float, list[tuple[Entity, WindowStats]]]]:
    """The windows that began together, oldest first."""
    ordered = sorted(minutes, key=lambda one: one[1].start_s)
    return [(start_s, list(group)) for start_s, group in groupby(ordered, key=lambda one: one[1].start_s)]
