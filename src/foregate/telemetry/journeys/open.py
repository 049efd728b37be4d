"""Traces that are still being told: held in memory, within bounds, until they are quiet. Pure.

Their spans lie on the bus, so this table may be lost: `oldest_step` says from where they have to be read again. They
are held encoded: a hundred thousand spans are some 30 MB so, and 250 MB as objects.
"""

from collections import OrderedDict
from collections.abc import Sequence

from foregate.wire.span import Span, decode_span, encode_span
from foregate.wire.survey import Journeys

_TRACE_BYTES = 450  # of a trace in memory without its spans, about
_SPAN_BYTES = 48  # of a span beside its encoded bytes

Key = tuple[str, str]  # org and trace id


class OpenTrace:
    """`late`: it was decided before, and is kept. `cut`: spans beyond the bound, which are not among its own."""

    __slots__ = ("_encoded", "bytes", "cut", "failed", "first_s", "key", "late", "step", "touched_s")

    def __init__(self, key: Key, step: int, now_s: float, late: bool) -> None:
        self.key = key
        self.step = step
        self.first_s = self.touched_s = now_s
        self.late = late
        self._encoded: list[bytes] = []
        self.bytes = _TRACE_BYTES
        self.cut = 0
        self.failed = False

    def __len__(self) -> int:
        return len(self._encoded)

    def spans(self) -> list[Span]:
        """In the order they came."""
        return [decode_span(encoded) for encoded in self._encoded]

    def add(self, span: Span) -> int:
        """Returns how many bytes more it takes."""
        encoded = encode_span(span)
        self._encoded.append(encoded)
        size = _SPAN_BYTES + len(encoded)
        self.bytes += size
        return size


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
        self._bytes += _TRACE_BYTES
        self._begun[step] = self._begun.get(step, 0) + 1

    def add(self, key: Key, span: Span, now_s: float) -> None:
        """A span of an open trace. Beyond the bound of spans it is cut, but that it failed is known."""
        trace = self._traces[key]
        trace.touched_s = now_s
        self._traces.move_to_end(key)
        trace.failed |= span.failed
        if len(trace) >= self._settings.spans_per_trace_max:
            trace.cut += 1
        else:
            self._bytes += trace.add(span)
        if now_s - trace.first_s >= self._settings.age_s_max:
            self._remove(key)
            self._aged.append(trace)

    def due(self, now_s: float, quiet_max: int) -> Sequence[OpenTrace]:
        """Traces to be decided now: quiet ones, old ones, and the quietest while there are too many. They are gone.

        Of quiet ones, as many as are `quiet_max` with the others; the rest is due the next time.
        """
        due, self._aged = self._aged, []
        while self._traces:
            trace = next(iter(self._traces.values()))
            quiet = now_s - trace.touched_s >= self._settings.quiet_s
            if not self._too_many() and not (quiet and len(due) < quiet_max):
                break
            self.early += not quiet
            self._remove(trace.key)
            due.append(trace)
        return due

    def _too_many(self) -> bool:
        return len(self._traces) > self._settings.open_traces_max or self._bytes > self._settings.open_bytes_max

    def _remove(self, key: Key) -> None:
        trace = self._traces.pop(key)
        self._bytes -= trace.bytes
        left = self._begun[trace.step] - 1
        if left:
            self._begun[trace.step] = left
        else:
            del self._begun[trace.step]
