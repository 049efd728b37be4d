"""Which model serves an organisation: what a promotion and a rollback make of it. Pure."""

from collections.abc import Collection
from typing import Final

from foregate.kernel.errors import ForegateError
from foregate.wire.models import BUNDLED, ModelChange, ModelEntry, Serving

REST_S: Final = 7 * 86_400.0  # after a rollback nothing is promoted for so long: a person knows more than one night


def promotable(entry: ModelEntry, serving: Serving, now_s: float) -> str | None:
    """Why this model must not take over; None when it may."""
    if not entry.better:
        return entry.reason
    if entry.version == serving.version:
        return "it serves already"
    if entry.version in serving.withdrawn:
        return "it was rolled back: it is not promoted again"
    if now_s < serving.rest_until_s:
        days = (serving.rest_until_s - now_s) / 86_400.0
        return f"somebody rolled back a model: nothing is promoted for another {days:.1f} days"
    return None


def promoted(serving: Serving, entry: ModelEntry, now_s: float, by: str = "learning") -> Serving:
    """The model takes over."""
    return _changed(serving, entry.version, now_s, by, entry.reason)


def rolled_back(
    serving: Serving, kept: Collection[str], to: str | None, now_s: float, by: str, note: str = ""
) -> Serving:
    """An earlier model serves again: `to`, or the one that served before, as far as it is `kept`, else the bundled one.

    What served is withdrawn for good, unless somebody names it here later. Raises ForegateError: not_found, conflict.
    """
    target = _before(serving, kept) if to is None else to
    if target != BUNDLED and target not in kept:
        raise ForegateError("not_found", f"There is no model {target} of this organisation.")
    if target == serving.version:
        raise ForegateError("conflict", f"The model {target} serves already.")
    after = _changed(serving, target, now_s, by, note or "rolled back")
    out = {*serving.withdrawn, serving.version} - {target, BUNDLED}
    return Serving(after.version, after.since_s, after.changes, tuple(sorted(out & set(kept))), now_s + REST_S)


def _before(serving: Serving, kept: Collection[str]) -> str:
    for change in reversed(serving.changes):
        if change.version == serving.version and change.before not in serving.withdrawn:
            return change.before if change.before in kept else BUNDLED
    return BUNDLED


def _changed(serving: Serving, version: str, now_s: float, by: str, reason: str) -> Serving:
    change = ModelChange(now_s, version, serving.version, by, reason)
    return Serving(version, now_s, (*serving.changes, change), serving.withdrawn, serving.rest_until_s)
