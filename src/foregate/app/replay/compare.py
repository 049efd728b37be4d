"""What would be different: each request's recorded fate beside the one that another configuration has for it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from foregate.app.replay.recorded import Recorded
from foregate.app.replay.stand import Stand, Would
from foregate.wire.snapshot import Snapshot

CHANGES_MAX = 1_000  # kinds of changes that are told apart; further ones are counted as one


class Change(msgspec.Struct):
    """Requests with the same fate before and after. `example`: the id of the first, with its method and path."""

    kind: str  # "route", "service", "refused", "admitted", "refused_otherwise", "answered"
    before: str
    after: str
    requests: int
    consumers: int
    example: str
    example_id: str


class Report(msgspec.Struct):
    """`undecided`: of which too little was recorded (paths longer than an event keeps)."""

    requests: int
    same: int
    undecided: int
    from_s: float
    until_s: float
    changes: list[Change]


def replay(snapshot: Snapshot, recorded: Iterable[Recorded], folder: Path) -> Report:
    """Ask `snapshot` of each of them, in their order. `folder`: empty, for what is counted meanwhile."""
    stand = Stand(snapshot, folder)
    report = Report(0, 0, 0, 0.0, 0.0, [])
    found: dict[tuple[str, str, str], Change] = {}
    consumers: dict[tuple[str, str, str], set[str]] = {}
    try:
        for each in recorded:
            report.requests += 1
            report.from_s = report.from_s or each.time_s
            report.until_s = each.time_s
            if each.cut:
                report.undecided += 1
                continue
            key = _change(each, stand.ask(each))
            if key is None:
                report.same += 1
                continue
            if key not in found and len(found) >= CHANGES_MAX:
                key = ("others", "", "")
            change = found.get(key)
            if change is None:
                change = found[key] = Change(*key, 0, 0, f"{each.method} {each.host}{each.path}", each.id)
            change.requests += 1
            consumers.setdefault(key, set()).add(each.key_id or each.client)
            change.consumers = len(consumers[key])
    finally:
        stand.close()
    report.changes = sorted(found.values(), key=lambda change: -change.requests)
    return report


def _change(recorded: Recorded, would: Would) -> tuple[str, str, str] | None:
    """(kind, before, after) of a request that fares otherwise."""
    if would.refused:
        if recorded.refused == would.refused:
            return None
        before = recorded.refused or f"{recorded.status} of {recorded.service or recorded.route or 'its service'}"
        kind = "refused_otherwise" if recorded.refused else "refused"
        return kind, before, f"{would.status} {would.refused} ({would.route or 'no route'})"
    if would.status:
        same = recorded.route == would.route and recorded.status == would.status
        return (
            None if same else ("answered", f"{recorded.status} ({recorded.route})", f"{would.status} ({would.route})")
        )
    if recorded.refused:
        return "admitted", recorded.refused, f"sent on to {would.service} ({would.route})"
    if not recorded.route:  # a recording of somebody else: that it is sent on is all there is to say
        return None
    if recorded.service != would.service:
        return "service", f"{recorded.service} ({recorded.route})", f"{would.service} ({would.route})"
    return None if recorded.route == would.route else ("route", recorded.route, would.route)
