"""Putting it in force that canaries are rolled back, and that they may go on."""

from collections.abc import Iterable, Sequence

from foregate.gateway.routes import RouteEntry
from foregate.wire.canary import fingerprint
from foregate.wire.verdicts import RolledBack


def roll_back(entries: Iterable[RouteEntry], rolled_back: Sequence[RolledBack], now_s: float) -> list[tuple[str, str]]:
    """Of these routes those canaries get nothing that are named, with these very settings; all others get their share.

    `now_s`: Unix seconds. Returns (route, canary service) of those that are out.
    """
    out = {(each.route, each.service): each for each in rolled_back if each.until_s is None or each.until_s > now_s}
    found = []
    for entry in entries:
        canary = entry.route.canary
        if canary is None:
            continue
        known = out.get((entry.name, canary.service))
        ended = known is not None and known.settings in ("", fingerprint(canary))
        entry.roll_back(canary.service if ended else "")
        if ended:
            found.append((entry.name, canary.service))
    return found
