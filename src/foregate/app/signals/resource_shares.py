"""What is left of something, from what was measured of its parts: used, free, the limit, or a share outright. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from foregate.app.signals.resource_names import Role

Part = tuple[tuple[str, str], ...]  # the attributes that tell it from others
Values = Mapping[Part, float]
_LEVELS: Final[tuple[Role, ...]] = ("used", "free", "limit")
_NONE: Final[Values] = {}
_OVER: Final = 1.02  # used and limit are read one after the other: so little more than there is, is all there is


def shares_left(values: Mapping[Role, Values], *, summed: bool) -> Sequence[float]:
    """Shares, 0 to 1. `summed`: the parts are one thing together, as the spaces of a heap; else each is one by itself,
    as are pools. A part of which clearly more is used than there is, is left out."""
    used, free, limit = (values.get(role, _NONE) for role in _LEVELS)
    if free and not limit:
        limit = {part: used[part] + free[part] for part in used.keys() & free}
    if free and not used:
        used = {part: limit[part] - free[part] for part in limit.keys() & free}
    found = [1.0 - share for share in values.get("share", _NONE).values()]
    pairs = _together(used, limit) if summed else _each(used, limit)
    known = [(part, whole) for part, whole in pairs if 0.0 <= part <= _OVER * whole and whole > 0.0]
    return found + [max(0.0, 1.0 - part / whole) for part, whole in known]


def _each(used: Values, limit: Values) -> list[tuple[float, float]]:
    common = used.keys() & limit
    if not common:
        return _of_all(used, limit)
    return [(used[part], limit[part]) for part in common]


def _together(used: Values, limit: Values) -> list[tuple[float, float]]:
    """A young space says nothing while the one that matters, the largest, is not known."""
    common = used.keys() & limit
    if not common:
        return _of_all(used, limit)
    if max(limit, key=lambda part: limit[part]) not in common:
        return []
    return [(sum(used[part] for part in common), sum(limit[part] for part in common))]


def _of_all(used: Values, limit: Values) -> list[tuple[float, float]]:
    """One limit that names no part holds for all of them."""
    return [(sum(used.values()), next(iter(limit.values())))] if used and len(limit) == 1 else []
