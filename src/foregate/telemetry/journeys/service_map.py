"""Who asks whom, how often, how well: the calls in a trace, and minutes of them that can be merged. Pure."""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from foregate.telemetry.journeys.join import Node, Trace
from foregate.telemetry.sketch import Sketch
from foregate.wire.journey import Call, CallMinute, Edge

CALLS_MAX = 1_000  # of an org in a minute; further ones, of names that never end, are counted together
OTHERS = "(others)"  # as their caller and callee
_MINUTES_MAX = 256  # (org, minute) whose calls are known, the newest; one that comes back has its bound anew
OUTSIDE = ""  # as a caller: whoever asked, and sends no spans
MINUTE_S = 60
_DURATION_MS_MAX = 86_400_000.0  # a longer one counts as a day: no sender's mistake may outgrow the sums


class Made(NamedTuple):
    """One call as it was made. `at_ns` and `duration_ms` are the caller's where its span is there: its waiting counts.

    `by`: the span that tells of it.
    """

    call: Call
    at_ns: int
    duration_ms: float
    failed: bool
    by: str


def calls(trace: Trace) -> Iterator[Made]:
    """Every call between services, once: from parent and child of two of them; from a root that serves; and from a
    client span whose peer does not report itself."""
    for node in trace.nodes:
        span, parent = node.span, node.parent
        if parent is not None and node.crossed:
            yield _between(parent, node)
        elif parent is None and span.kind in ("server", "consumer"):
            call = Call(span.org, OUTSIDE, "", span.service, span.environment)
            yield Made(call, node.start_ns, _ms(node), span.failed, span.span_id)
        if span.peer and span.kind in ("client", "producer") and not any(child.crossed for child in node.children):
            call = Call(span.org, span.service, span.environment, span.peer, "")
            yield Made(call, node.start_ns, _ms(node), span.failed, span.span_id)


def _between(parent: Node, node: Node) -> Made:
    asked, span = parent.span, node.span
    call = Call(span.org, asked.service, asked.environment, span.service, span.environment)
    if asked.kind == "client":
        return Made(call, parent.start_ns, _ms(parent), asked.failed or span.failed, span.span_id)
    return Made(call, node.start_ns, _ms(node), span.failed, span.span_id)


def _ms(node: Node) -> float:
    return min((node.end_ns - node.start_ns) / 1e6, _DURATION_MS_MAX)


class Minutes:
    """Calls counted per minute. Bounded by `take`, which empties it."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Call, int], tuple[list[int], Sketch]] = {}
        self._known: dict[tuple[str, int], set[Call]] = {}

    def add(self, made: Iterable[Made], only: Collection[str] | None = None) -> None:
        """`only`: calls that these spans tell of, the others are counted already."""
        for call, at_ns, duration_ms, failed, by in made:
            if only is not None and by not in only:
                continue
            start_s = at_ns // (MINUTE_S * 1_000_000_000) * MINUTE_S
            key = self._bounded(call, start_s), start_s
            kept = self._kept.get(key)
            if kept is None:
                kept = self._kept[key] = [0, 0], Sketch()
            kept[0][0] += 1
            kept[0][1] += failed
            kept[1].add(duration_ms)

    def _bounded(self, call: Call, start_s: int) -> Call:
        """The call that it is counted as."""
        known = self._known.get((call.org, start_s))
        if known is None:
            known = self._known[call.org, start_s] = set()
            if len(self._known) > _MINUTES_MAX:
                del self._known[next(iter(self._known))]
        if call in known:
            return call
        if len(known) >= CALLS_MAX:
            return Call(call.org, OTHERS, "", OTHERS, "")
        known.add(call)
        return call

    def take(self) -> list[CallMinute]:
        """What was counted since the last call."""
        taken = [
            CallMinute(call, float(start_s), requests, errors, sketch.encode())
            for (call, start_s), ((requests, errors), sketch) in self._kept.items()
        ]
        self._kept = {}
        return taken


def merged_latency(one: bytes, other: bytes) -> bytes:
    """The encoded sketch of both."""
    sketch = Sketch.decode(one)
    sketch.merge(Sketch.decode(other))
    return sketch.encode()


def edges(minutes: Iterable[CallMinute], seconds: float) -> list[Edge]:
    """Calls over `seconds`, the most frequent first."""
    sums: dict[Call, tuple[list[int], Sketch]] = {}
    for minute in minutes:
        counted, sketch = sums.setdefault(minute.call, ([0, 0], Sketch()))
        counted[0] += minute.requests
        counted[1] += minute.errors
        sketch.merge(Sketch.decode(minute.latency))
    found = [_edge(call, requests, errors, sketch, seconds) for call, ((requests, errors), sketch) in sums.items()]
    return sorted(found, key=lambda edge: (-edge.requests, edge.call.caller, edge.call.callee))


def _edge(call: Call, requests: int, errors: int, sketch: Sketch, seconds: float) -> Edge:
    p50, p95, p99 = sketch.quantiles()
    rate = errors / requests if requests else 0.0
    return Edge(call, requests, errors, requests / seconds, rate, sketch.mean_ms(), p50, p95, p99)
