"""The keeper's reader of spans: bus → open traces → decided, kept and counted, exactly once.

Spans of traces that are not decided lie in memory and, durably, on the bus. Each step writes in one transaction what it
decided, how far the bus was read, and after which offsets spans are still undecided. After kill -9 the spans between
the two are read again; those of decided traces are passed over, so nothing is lost and no call is counted twice.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from foregate.kernel.clock import Clock
from foregate.ports.bus import Batch, Bus
from foregate.ports.journeys import JourneyStep, JourneyWriter, Place
from foregate.telemetry.follow import Follower
from foregate.telemetry.journeys.from_event import spans_of
from foregate.telemetry.journeys.join import Trace, join
from foregate.telemetry.journeys.open import OpenTrace, OpenTraces
from foregate.telemetry.journeys.remembered import Remembered
from foregate.telemetry.journeys.sampling import Facts, Sampler
from foregate.telemetry.journeys.service_map import Made, Minutes, calls
from foregate.telemetry.journeys.summary import stored
from foregate.wire import TOPIC_EVENTS, TOPIC_SPANS
from foregate.wire.event import RequestEvent, decode_events
from foregate.wire.journey import Stored, trace_key
from foregate.wire.span import Span, decode_spans
from foregate.wire.survey import Journeys, KeptBecause

_AGAIN_BATCHES = 4  # read again at a time, at the start
_DECIDED_MAX = 10_000  # quiet traces in a step: so long may a stop have to wait, and so much is written at once
_KEPT_REMEMBERED = 200_000  # of those kept before the start
_AHEAD_NS = 86_400 * 10**9  # a span that begins later than that is a mistake, and would be the newest for ever
_BEFORE_ALL = 0  # the step of what is read again

Item = TypeVar("Item")
_Item_contra = TypeVar("_Item_contra", contravariant=True)


class _Spans(Protocol[_Item_contra]):
    def __call__(self, items: Sequence[_Item_contra], counts: Counter[str]) -> list[Span]: ...


class Collector:
    """One thread, one process, and all partitions: spans of one trace may be in any of them.

    Raises OSError when bus or store cannot be read or written; `step` may then be called again.
    """

    def __init__(
        self,
        bus: Bus,
        store: JourneyWriter,
        settings: Journeys,
        clock: Clock,
        seen: Callable[[Sequence[Span]], None] | None = None,
    ) -> None:
        """`seen`: told of the spans that services have sent themselves, once each; what was read again apart."""
        self._seen = seen
        self._bus = bus
        self._store = store
        self._clock = clock
        self._settings = settings
        self._open = OpenTraces(settings)
        self._sampler = Sampler(settings)
        self._remembered = Remembered()
        self._minutes = Minutes()
        self._counts: Counter[str] = Counter()
        self._kept: list[Stored] = []
        self._dropped: list[bytes] = []
        self._due: deque[OpenTrace] = deque()
        self._owed: JourneyStep | None = None
        self._number = _BEFORE_ALL
        self._offsets: dict[Place, int] = {}
        self._before: dict[int, dict[Place, int]] = {}  # step → where it began to read, while a trace of it is open
        self._recover()
        events: Follower[RequestEvent] = Follower(
            bus, TOPIC_EVENTS, decode_events, _Taking(self, TOPIC_EVENTS, _of_events)
        )
        spans: Follower[Span] = Follower(bus, TOPIC_SPANS, decode_spans, _Taking(self, TOPIC_SPANS, _as_they_are))
        self._followers = (events, spans)

    @property
    def open_traces(self) -> int:
        return len(self._open)

    def step(self) -> int:
        """Read what is new, decide what is quiet, store both. Returns how many of both: 0 is nothing to do."""
        if self._owed is not None:
            self._pay(self._owed)
        self._number += 1
        self._before[self._number] = dict(self._offsets)
        read = sum(follower.step() for follower in self._followers)
        self._due += self._open.due(self._clock.monotonic(), _DECIDED_MAX)
        decided = len(self._due)
        while self._due:
            self._decide(self._due[0])
            self._due.popleft()
        if read or decided:
            self._pay(self._written())
        else:
            del self._before[self._number]
            self._number -= 1
        return read + decided

    def offsets(self, topic: str) -> dict[int, int]:
        return {at: offset for (of, at), offset in self._offsets.items() if of == topic}

    def take(self, spans: Sequence[Span], topic: str, offsets: Mapping[int, int], counts: Mapping[str, int]) -> None:
        """New spans, up to these offsets. Nothing is stored before the end of the step."""
        now_s = self._clock.monotonic()
        sound = self._sound(spans)
        if self._seen is not None and topic == TOPIC_SPANS:
            self._seen(sound)
        for span in sound:
            key = span.org, span.trace_id
            if key not in self._open and not self._begin(span, now_s):
                continue
            self._open.add(key, span, now_s)
        self._counts.update(counts)
        self._counts["spans"] += len(sound)
        self._counts["invalid"] += len(spans) - len(sound)
        self._offsets |= {(topic, partition): offset for partition, offset in offsets.items()}

    def _sound(self, spans: Sequence[Span]) -> Sequence[Span]:
        """Those of a time that can be."""
        until_ns = int(self._clock.now() * 1e9) + _AHEAD_NS
        return [span for span in spans if 0 <= span.start_ns < until_ns]

    def _begin(self, span: Span, now_s: float) -> bool:
        """Open the trace of a span; False where it was decided that it is not kept."""
        verdict = self._remembered.verdict(trace_key(span.org, span.trace_id))
        if verdict is False:
            self._counts["late_dropped_spans"] += 1
            return False
        self._open.begin((span.org, span.trace_id), self._number, now_s, late=verdict is True)
        return True

    # --- deciding --------------------------------------------------------------------------------------------

    def _decide(self, open_trace: OpenTrace) -> None:
        kept = self._store.load(*open_trace.key) if open_trace.late else None
        told = open_trace.spans()
        late = {span.span_id for span in told} if kept is not None else None
        spans = told if kept is None else [*kept.spans, *told]
        trace = join(spans)
        made = list(calls(trace))
        self._minutes.add(made, late)
        self._counts["cut_spans"] += open_trace.cut
        reason: KeptBecause | None
        if kept is None:
            reason = self._sampler.decide(_facts(open_trace, trace, made), self._clock.monotonic())
        else:
            reason = kept.summary.reason
        if reason is None:
            self._dropped.append(trace_key(*open_trace.key))
            self._counts["dropped_traces"] += 1
            self._counts["dropped_spans"] += len(told)
            return
        before = kept.summary.truncated if kept is not None else 0
        result = stored(trace, reason, open_trace.cut + before, self._settings.spans_per_trace_max)
        self._kept.append(result)
        self._counts["late_kept_traces" if open_trace.late else "kept_traces"] += 1
        self._counts["kept_spans"] += len(told)

    def _written(self) -> JourneyStep:
        """All that is decided and not stored."""
        kept, self._kept = self._kept, []
        dropped, self._dropped = self._dropped, []
        self._remembered.add(self._number, dropped, kept=False)
        self._remembered.add(self._number, (trace_key(one.summary.org, one.summary.trace_id) for one in kept), True)
        oldest = self._open.oldest_step
        if oldest is None:
            oldest = self._number + 1
        for step in [step for step in self._before if step < oldest]:
            del self._before[step]
        if self._open.early:
            self._counts["early_traces"] += self._open.early
            self._open.early = 0
        counts, self._counts = self._counts, Counter()
        needed = self._before.get(oldest, self._offsets)
        return JourneyStep(
            number=self._number,
            offsets=dict(self._offsets),
            needed={place: needed.get(place, -1) for place in self._offsets},
            kept=kept,
            dropped=dropped,
            calls=self._minutes.take(),
            counts={name: count for name, count in counts.items() if count},
            forget_below=self._remembered.oldest_step,
        )

    def _pay(self, step: JourneyStep) -> None:
        """Memory has moved on already, so what could not be written is owed, whole, until it is."""
        self._owed = step
        self._store.write(step)
        self._owed = None

    # --- beginning anew --------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Know again what was decided, and read again what was not."""
        kept = self._store.kept(_KEPT_REMEMBERED)
        self._remembered.add(_BEFORE_ALL, kept, kept=True)
        for step, keys in self._store.dropped():
            self._remembered.add(step, keys, kept=False)
            self._number = step
        for topic, of in ((TOPIC_EVENTS, _events_again), (TOPIC_SPANS, _spans_again)):
            needed = self._store.needed(topic)
            for partition, until in self._store.offsets(topic).items():
                if until <= self._bus.last_offset(topic, partition):  # else the bus is another one
                    self._offsets[topic, partition] = until
                    self._before.setdefault(self._number, {})[topic, partition] = needed.get(partition, until)
                    self._read_again(topic, partition, needed.get(partition, until), until, of)

    def _read_again(self, topic: str, partition: int, after: int, until: int, of: "_Again") -> None:
        known: dict[bytes, set[str]] = {}  # of kept traces, the ids that are stored
        while after < until:
            batches = self._bus.read(topic, partition, after, _AGAIN_BATCHES)
            if not batches:
                return
            for batch in batches:
                after = batch.offset
                if after <= until:
                    self._take_again(of(batch), known)

    def _take_again(self, spans: Sequence[Span], known: dict[bytes, set[str]]) -> None:
        now_s = self._clock.monotonic()
        for span in self._sound(spans):
            key = span.org, span.trace_id
            if key not in self._open:
                digest = trace_key(*key)
                verdict = self._remembered.verdict(digest)
                if verdict is False:
                    continue
                if verdict and digest not in known:
                    kept = self._store.load(*key)
                    known[digest] = {one.span_id for one in kept.spans} if kept is not None else set()
                if span.span_id in known.get(digest, ()):
                    continue
                self._open.begin(key, self._number, now_s, late=verdict is True)
            self._open.add(key, span, now_s)


class _Again(Protocol):
    def __call__(self, batch: Batch) -> list[Span]: ...


class _Taking(Generic[Item]):
    """What a follower sees of the collector: one topic, whose items are made spans."""

    def __init__(self, collector: Collector, topic: str, of: _Spans[Item]) -> None:
        self._collector = collector
        self._of = of

    def offsets(self, topic: str) -> dict[int, int]:
        return self._collector.offsets(topic)

    def take(self, items: Sequence[Item], topic: str, offsets: Mapping[int, int], counts: Mapping[str, int]) -> None:
        counted = Counter(counts)
        self._collector.take(self._of(items, counted), topic, offsets, counted)


def _as_they_are(items: Sequence[Span], counts: Counter[str]) -> list[Span]:
    return list(items)


def _of_events(items: Sequence[RequestEvent], counts: Counter[str]) -> list[Span]:
    spans: list[Span] = []
    for event in items:
        try:
            spans += spans_of(event)
        except (ValueError, OverflowError):  # a time that is none: whoever sent it was not of us
            counts["invalid"] += 1
    return spans


def _events_again(batch: Batch) -> list[Span]:
    try:
        return _of_events(decode_events(batch.payload), Counter())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


def _spans_again(batch: Batch) -> list[Span]:
    try:
        return decode_spans(batch.payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


def _facts(open_trace: OpenTrace, trace: Trace, made: Sequence[Made]) -> Facts:
    root = trace.root
    span = root.span
    route = span.environment, span.service, span.route or span.name
    features = [(span.org, route), *(one.call for one in made)]
    duration_ms = (root.end_ns - root.start_ns) / 1e6
    return Facts(span.trace_id, (span.org, route), duration_ms, open_trace.failed, features)
