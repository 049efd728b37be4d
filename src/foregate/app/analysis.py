"""The analyzer's work: events become windows, windows verdicts, and verdicts reach the stores, the bus and people."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec
import structlog

from foregate.adapters.embedded.findings import EmbeddedFindings
from foregate.app.false_alarms import FalseAlarmFile
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
from foregate.wire.window import WindowStats

TICK_S = 10
TICK_DELAY_S = 2.0  # how long a tick waits for events that are on their way through spool and bus
MINUTE_DELAY_S = 5.0  # the same for a closed minute, which is learnt once and for all
EXPIRE_EVERY_S = 60.0
FINDINGS_RETENTION_S = 30 * 86_400.0
HOUR_S: Final = 3_600.0
ROWS_MAX: Final = 4_000_000  # of one reading: more than a quarter of an hour of all entities
RESTORE_STEP_S: Final = 900.0  # the past is read in steps of it: the windows of all entities are many
DAY_S: Final = 86_400.0
WEEK_S: Final = 7 * DAY_S
SEASON_QUARTERS_MAX: Final = 8  # read in one step: after a night asleep the rest comes with the next ticks
SEASON_AHEAD_S: Final = 2 * HOUR_S  # how far ahead of now's weekday and time the quarters of a week ago are read
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
        false_alarms: FalseAlarmFile | None = None,
    ) -> None:
        self._false_alarms = false_alarms
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
        self._season_until_s = self._season_known_s = 0.0  # of a week ago: read up to there, and no further than there
        self._newest_s = 0.0  # the start of the newest minute that was learned
        self._owed = Verdicts()  # judged, but not stored yet: the analyst will not say it a second time
        self._last_expire_s = clock.monotonic()
        self._refused = 0  # alerts, as far as the log has them
        self.risks: Sequence[Risk] = ()  # of the last tick

    def restore(self) -> None:
        """Take up what an earlier analyzer knew: its open findings, and each entity's past minutes."""
        now_s = self._clock.now()
        counted = self._false_alarms.read() if self._false_alarms else {}
        self._analyst.restore(self._findings.unresolved_alerts(), self._findings.open_anomalies(), counted)
        # Minutes that the windower will close again itself are the younger ones; both sides know where that begins.
        until_s = (now_s - MINUTE_DELAY_S) // 60 * 60
        self._consumer.windower.closed_minutes(until_s)
        self._restore_season(until_s)
        for from_s in range(int(until_s) - HISTORY_MINUTES_MAX * 60, int(until_s), int(RESTORE_STEP_S)):
            end_s = min(from_s + RESTORE_STEP_S, until_s)
            stored = self._series.scan(60, from_s, end_s, rows_max=ROWS_MAX, sketches="none")
            for start_s, minutes in _by_start((window.entity, window.stats) for window in stored):
                marked = start_s >= until_s - HOUR_S  # nobody looks further back for a deployment
                self._analyst.learn(minutes, self._beside(minutes, start_s, of_now=False) if marked else None)
        self._objectives.restore(until_s)

    def _restore_season(self, until_s: float) -> None:
        """The last day by the quarter of an hour, and the hours of a week ago that are compared with soon.

        A whole week of all entities takes minutes to read. The rest of it is read while time goes on.
        """
        now_s = until_s // QUARTER_S * QUARTER_S
        self._season_until_s = now_s - WEEK_S + SEASON_AHEAD_S
        self._season_known_s = now_s - DAY_S - HOUR_S
        for from_s, end_s in ((now_s - WEEK_S - HOUR_S, self._season_until_s), (self._season_known_s, now_s)):
            for start_s in range(int(from_s), int(end_s), QUARTER_S):
                self._learn_quarter(start_s)

    def _read_season(self, now_s: float) -> None:
        """The next quarters of a week ago, until it is those that were learned live or at the start."""
        due_s = min(now_s // QUARTER_S * QUARTER_S - WEEK_S + SEASON_AHEAD_S, self._season_known_s)
        for _ in range(SEASON_QUARTERS_MAX):
            if self._season_until_s >= due_s:
                return
            self._learn_quarter(self._season_until_s)
            self._season_until_s += QUARTER_S

    def _learn_quarter(self, start_s: float) -> None:
        stored = self._series.scan(QUARTER_S, start_s, start_s + QUARTER_S, rows_max=ROWS_MAX, sketches="none")
        self._analyst.learn_quarters(start_s, ((window.entity, window.stats) for window in stored))

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
            self._read_season(now_s)
            self._learn(self._consumer.windower.closed_minutes(now_s - MINUTE_DELAY_S))
            self._owed = self._analyst.judge(self._consumer.windower.ticks(tick_s), tick_s)
            self._owed.alerts.extend(self._objectives.judge(tick_s))
            self.risks = self._owed.risks
            self._last_tick_s = tick_s
            self._deliver()
        self._consumer.roll_up()
        if self._clock.monotonic() - self._last_expire_s > EXPIRE_EVERY_S:
            self._last_expire_s = self._clock.monotonic()
            self._tidy(now_s)

    def _learn(self, minutes: Sequence[tuple[Entity, WindowStats]]) -> None:
        """Closed minutes, each with what stands beside it."""
        self._objectives.learn(minutes)
        newest_s = max((minute.start_s for _, minute in minutes), default=0.0)
        for start_s, of_minute in _by_start(minutes):
            self._analyst.learn(of_minute, self._beside(of_minute, start_s, of_now=start_s == newest_s))
        if self._models is not None:
            self._models.look()
        if self._shifts is not None and minutes:
            self._shifts.say()

    def _beside(
        self, minutes: Sequence[tuple[Entity, WindowStats]], start_s: float, *, of_now: bool
    ) -> Mapping[Entity, Mapping[str, float]]:
        """What is left of quotas, budgets, disks is known as of now: of the newest minute, and of none made up for."""
        if self._signals is None:
            return {}
        entities = [entity for entity, _ in minutes]
        if not of_now or start_s < self._newest_s:
            return self._signals.marks(start_s, entities)
        self._newest_s = start_s
        beside = self._signals.minute(start_s, entities)
        self._analyst.connect(self._signals.calls())
        return beside

    def _read(self) -> None:
        lost_before, set_back_before = self._consumer.lost_batches, self._consumer.clock_set_back
        self._consumer.step()
        if self._consumer.clock_set_back != set_back_before:
            self._newest_s = 0.0  # what comes now is the newest again
            self._log.warning("clock_was_set_back", effect="windows begin anew at the clock's time")
        if lost := self._consumer.lost_batches - lost_before:
            self._log.error("events_lost_unread", batches=lost, reason="the bus was at its bound before they were read")

    def _tidy(self, now_s: float) -> None:
        if (refused := self._analyst.refused - self._refused) > 0:
            self._refused += refused
            self._log.error("alerts_refused", count=refused, reason=f"{OPEN_ALERTS_MAX} are open: there is a bound")
        self._consumer.expire()
        self._findings.expire(now_s - FINDINGS_RETENTION_S)
        for topic in (TOPIC_RISKS, TOPIC_ANOMALIES, TOPIC_ALERTS):
            self._bus.expire(topic, now_s - 3_600.0)

        if self._false_alarms:
            self._false_alarms.keep(self._analyst.false_alarms, now_s)

    def close(self) -> None:
        """Keep what the next analyzer goes on from. Raises OSError."""
        if self._false_alarms:
            self._false_alarms.keep(self._analyst.false_alarms, self._clock.now(), at_once=True)

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
