"""Traces that are still being told: held in memory, within bounds, until they are quiet. Pure.

Their spans lie on the bus, so this table may be lost: `oldest_step` says from where they have to be read again.
"""

from collections import OrderedDict
from collections.abc import Sequence

from foregate.wire.span import Span
from foregate.wire.survey import Journeys

_SPAN_BYTES = 1_200  # of a span in memory without its attributes, about
_ATTRIBUTE_BYTES = 120  # of an attribute without its characters

Key = tuple[str, str]  # org and trace id


class OpenTrace:
    """`late`: it was decided before, and is kept. `cut`: spans beyond the bound, which are not among `spans`."""

    __slots__ = ("bytes", "cut", "failed", "first_s", "key", "late", "spans", "step", "touched_s")

    def __init__(self, key: Key, step: int, now_s: float, late: bool) -> None:
        self.key = key
        self.step = step
        self.first_s = self.touched_s = now_s
        self.late = late
        self.spans: list[Span] = []
        self.bytes = 0
        self.cut = 0
        self.failed = False


class OpenTraces:
    """`early` counts traces that were decided before they were quiet, because of a bound."""

    def __init__(self, settings: Journeys) -> None:
        self.early = 0
        self._settings = settings
        self._traces: OrderedDict[Key, OpenTrace] = OrderedDict()  # the quietest first
        self._aged: list[OpenTrace] = []
        self._bytes = 0
        self._begun: dict[int, int] = {}  # step → traces that began with it and are open; steps rise

    def __len__(self) -> int:
        return len(self._traces)

    def __contains__(self, key: Key) -> bool:
        return key in self._traces

    @property
    def bytes(self) -> int:
        return self._bytes

    @property
    def oldest_step(self) -> int | None:
        """The step with which the oldest open trace began."""
        return next(iter(self._begun), None)

    def begin(self, key: Key, step: int, now_s: float, *, late: bool = False) -> None:
        """A trace that is not open. Steps never sink."""
        self._traces[key] = OpenTrace(key, step, now_s, late)
        self._begun[step] = self._begun.get(step, 0) + 1

    def add(self, key: Key, span: Span, now_s: float) -> None:
        """A span of an open trace. Beyond the bound of spans it is cut, but that it failed is known."""
        trace = self._traces[key]
        trace.touched_s = now_s
        self._traces.move_to_end(key)
        trace.failed |= span.failed
        if len(trace.spans) >= self._settings.spans_per_trace_max:
            trace.cut += 1
        else:
            trace.spans.append(span)
            size = _bytes_of(span)
            trace.bytes += size
            self._bytes += size
        if now_s - trace.first_s >= self._settings.age_s_max:
            self._remove(key)
            self._aged.append(trace)

    def due(self, now_s: float) -> Sequence[OpenTrace]:
        """Traces to be decided now: quiet ones, old ones, and the quietest while there are too many. They are gone."""
        due, self._aged = self._aged, []
        settings = self._settings
        while self._traces:
            trace = next(iter(self._traces.values()))
            if now_s - trace.touched_s < settings.quiet_s:
                if len(self._traces) <= settings.open_traces_max and self._bytes <= settings.open_bytes_max:
                    break
                self.early += 1
            self._remove(trace.key)
            due.append(trace)
        return due

    def _remove(self, key: Key) -> None:
        trace = self._traces.pop(key)
        self._bytes -= trace.bytes
        left = self._begun[trace.step] - 1
        if left:
            self._begun[trace.step] = left
        else:
            del self._begun[trace.step]


def _bytes_of(span: Span) -> int:
    size = _SPAN_BYTES
    for name, value in span.attributes.items():
        size += _ATTRIBUTE_BYTES + len(name) + len(value)
    return size
