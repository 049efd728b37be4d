"""The analyzer's watch for abuse: events become findings, findings decisions, and decisions verdicts for the workers.

A loop of its own beside windows and judgement. What it decides is stored before anybody is told; what operators decide
elsewhere it takes over from the store within a step.
"""

import msgspec
import structlog

from foregate.abuse import Detector, Finding, decide
from foregate.app.abuse_events import AbuseEvents, in_order
from foregate.app.abuse_settings import abuse_settings
from foregate.app.paths import DataDir
from foregate.app.verdicts import publish
from foregate.app.watch import Stamp, stamp
from foregate.kernel.clock import Clock
from foregate.kernel.ids import new_id
from foregate.ports.bus import Bus
from foregate.ports.verdicts import VerdictStore
from foregate.wire.abuse import Abuse
from foregate.wire.abuse_overview import AbuseOverview, Asking, encode_overview
from foregate.wire.decision import Decision

FRESH_S = 30.0  # a finding about what is longer ago is not acted on: it comes from a backlog, or from warming up
OVERVIEW_EVERY_S = 5.0
EXPIRE_EVERY_S = 3_600.0
RETENTION_S = 90 * 86_400.0
FORGIVEN_AFTER_S = 86_400.0  # blocks that ended longer ago do not make the next one longer
TOP = 20
OVERVIEW, VISITORS = "overview", "visitors"  # the names of our notes in the store
VISITORS_ERROR = 2 * 1.04 / 2**6.5  # two standard errors of a HyperLogLog of 2^13 registers


class _Visitors(msgspec.Struct, array_like=True):
    hour: int
    present: bytes
    before: bytes


_decode_visitors = msgspec.msgpack.Decoder(_Visitors).decode


class AbuseWatch:
    """Call `step` a few times a second. It may raise OSError; then call it again: what was found is found again."""

    def __init__(
        self,
        bus: Bus,
        store: VerdictStore,
        data: DataDir,
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._store = store
        self._data = data
        self._clock = clock
        self._log = log
        self._events = AbuseEvents(bus)
        self._settings = Abuse()
        self._snapshot_seen: Stamp | None = None
        self._version = -1
        self._active: dict[str, Decision] = {}
        self._skipped = 0
        self._told: tuple[int, str] | None = None
        self._overview_s = self._expired_s = clock.monotonic()
        self.detector = Detector(self._settings)
        self._resume()
        self._published = publish(data, store, clock).version

    def _resume(self) -> None:
        """Take up the count of visitors. What is usual for each client is learnt anew from the newest events."""
        note = self._store.kept(VISITORS)
        if note is not None:
            try:
                kept = _decode_visitors(note)
                self.detector.resume(kept.hour, kept.present, kept.before)
            except (msgspec.DecodeError, RuntimeError, ValueError) as error:
                self._log.warning("visitors_not_resumed", error=str(error))

    def step(self) -> None:
        """Read what is new, decide, tell the workers."""
        self._follow_settings()
        self._follow_store()
        if self._settings.mode == "off":
            self._events.go_to_end()
        else:
            self._look()
        if self._published != self._version:
            self._published = publish(self._data, self._store, self._clock).version
        now_s = self._clock.monotonic()
        if now_s - self._overview_s >= OVERVIEW_EVERY_S:
            self._overview_s = now_s
            self._tell()
        if now_s - self._expired_s >= EXPIRE_EVERY_S:
            self._expired_s = now_s
            self._store.expire(self._clock.now() - RETENTION_S)

    def _follow_settings(self) -> None:
        """Those of the configuration in force: they are in the first line of the snapshot."""
        seen = stamp(self._data.snapshot)
        if seen is None or seen == self._snapshot_seen:
            return
        settings = abuse_settings(self._data.snapshot)
        self._snapshot_seen = seen
        if settings != self._settings:
            self._settings = settings
            self.detector.configure(settings)
            self._log.info("abuse_detection", mode=settings.mode)

    def _follow_store(self) -> None:
        """What was decided or undone, here or elsewhere."""
        version = self._store.version()
        if version == self._version:
            return
        now_s = self._clock.now()
        active = {decision.subject: decision for decision in self._store.in_force(now_s)}
        left_alone = self._store.left_alone(now_s)
        for subject, decision in active.items():
            if self._active.get(subject) != decision:
                self.detector.hold(subject, decision.until_s)
        for subject in self._active.keys() - active.keys():
            if subject not in left_alone and self._active[subject].until_s > now_s:
                self.detector.release(subject, 0.0)
        for subject, until_s in left_alone.items():
            if subject not in active:
                self.detector.release(subject, until_s)
        self._active = active
        self._version = version

    def _look(self) -> None:
        events = in_order(self._events.read())
        if self._events.skipped_batches > self._skipped:
            self._log.warning("abuse_events_skipped", batches=self._events.skipped_batches - self._skipped)
            self._skipped = self._events.skipped_batches
        now_s = self._clock.now()
        made = [
            decision
            for finding in self.detector.add(events)
            if finding.time_s >= now_s - FRESH_S and (decision := self._decide(finding, now_s)) is not None
        ]
        if not made:
            return
        self._store.put(made)
        for decision in made:
            self._say(decision)
        self._follow_store()

    def _decide(self, finding: Finding, now_s: float) -> Decision | None:
        held = self._active.get(finding.subject)
        if held is not None and held.in_force(now_s):
            return None
        times = self._store.times(finding.subject, now_s - FORGIVEN_AFTER_S)
        return decide(finding, self._settings, times, now_s, new_id)

    def _say(self, decision: Decision) -> None:
        blocks = decision.effect == "block"
        self._log.warning(
            "abuse_blocked" if blocks else "abuse_observed",
            id=decision.id,
            subject=decision.subject,
            rule=decision.rule,
            reason=decision.reason,
            for_s=round(decision.until_s - decision.made_s),
            times=decision.times,
        )

    def _tell(self) -> None:
        """Leave the overview for the API, and what the next analyzer goes on with."""
        detector = self.detector
        told = detector.events, self._settings.mode
        if told == self._told:
            return  # nothing is new: the disk may sleep
        self._told = told
        visitors = _Visitors(detector.hour, bytes(detector.visitors), bytes(detector.visitors_before))
        self._store.keep(VISITORS, msgspec.msgpack.encode(visitors))
        self._store.keep(OVERVIEW, encode_overview(self.overview()))

    def overview(self) -> AbuseOverview:
        """As of now."""
        detector = self.detector
        return AbuseOverview(
            time_s=self._clock.now(),
            mode=self._settings.mode,
            events=detector.events,
            skipped=self._events.skipped_batches,
            clients=detector.clients,
            visitors=round(detector.visitors.estimate),
            visitors_before=round(detector.visitors_before.estimate),
            visitors_error=round(VISITORS_ERROR, 3),
            top_addresses=tuple(Asking(name, round(count)) for name, count in detector.addresses.top(TOP)),
            top_keys=tuple(Asking(f"key:{name}", round(count)) for name, count in detector.keys.top(TOP)),
            requests_error=detector.addresses.error_max,
            growth=round(detector.crowd.growth, 2),
            spared=detector.spared,
        )
