"""Clocks that disagree: spans of another machine that seem to begin before they were asked for. Pure.

A call bounds how far the callee's clock is ahead of the caller's: it was served after it was asked for and before the
answer was there. All calls between the same two clocks bound it together. Where 0 is within the bounds nothing is
corrected; else the middle of them is taken, which is what NTP assumes too: both ways take as long.
Source: D. Mills, RFC 5905, section 8 (the on-wire protocol).
"""

from foregate.telemetry.journeys.join import Node, Trace, sort_children

_TOLERATED_NS = 1_000_000  # an answer's last byte is often there before its sender has closed the span
_FAR = 1 << 62

Clock = tuple[str, str, str, str, str]


def clock_of(node: Node) -> Clock:
    """Whose clock measured it: the machine's or pod's, else that of the service in its environment."""
    span = node.span
    who = "" if span.instance else span.service
    return span.cloud, span.region, span.environment, span.instance, who


def correct(trace: Trace) -> None:
    """Shift the spans of clocks that cannot be right, and note by how much. A span never moves against its parent
    where both are of one clock; across clocks none begins before its parent, or where it had not before."""
    ahead = _estimates(trace)
    for node, _ in trace.walk():
        parent = node.parent
        if parent is None:
            continue
        skew = parent.skew_ns
        link = clock_of(parent), clock_of(node)
        if link[0] != link[1]:
            skew += ahead.get(link, 0)
        if skew:
            node.skew_ns = skew
            node.start_ns -= skew
            node.end_ns -= skew
    if ahead:
        sort_children(trace.nodes)


def _estimates(trace: Trace) -> dict[tuple[Clock, Clock], int]:
    """(clock of the caller, of the callee) → by how many ns the latter is ahead; only where it has to be."""
    bounds: dict[tuple[Clock, Clock], tuple[int, int]] = {}
    for node in trace.nodes:
        if node.parent is None:
            continue
        link = clock_of(node.parent), clock_of(node)
        if link[0] == link[1]:
            continue
        low, high = _bounds(node.parent, node)
        known_low, known_high = bounds.get(link, (-_FAR, _FAR))
        bounds[link] = max(low, known_low), min(high, known_high)
    return {link: _ahead(*pair) for link, pair in bounds.items() if not pair[0] <= 0 <= pair[1]}


def _bounds(parent: Node, child: Node) -> tuple[int, int]:
    """How far ahead the child's clock may be. Its end says nothing where the parent did not wait for it."""
    high = child.start_ns - parent.start_ns
    span = parent.span
    waited = span.kind != "producer" and child.span.kind != "consumer" and not span.failed
    if not waited or child.end_ns - child.start_ns > parent.end_ns - parent.start_ns:
        return -_FAR, high
    return child.end_ns - parent.end_ns - _TOLERATED_NS, high


def _ahead(low: int, high: int) -> int:
    """At most `high`: then no call between the two begins before it was made."""
    if low == -_FAR:
        return high
    if low > high:  # the calls contradict one another: causality goes first
        return high
    return (low + high) // 2
