"""Near targets first: which targets get the requests, by zone and health."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Placed(NamedTuple):
    """What is known of a target at the same index. `well`: healthy, not ejected, circuit closed."""

    zone: str
    usable: bool  # healthy by its checks, and not ejected
    well: bool


def split(targets: Sequence[T], placed: Sequence[Placed], zone: str, spill: float) -> tuple[list[T], list[T]]:
    """Those to use, and those to fall back on when the circuits of all of them are open.

    Targets that are unhealthy or ejected are in neither, unless all are: then nobody knows better, and all are used
    ("panic"). With a `zone` its targets are used while at least the share `spill` of them is well; else all.
    """
    usable = [index for index, place in enumerate(placed) if place.usable]
    if not usable:
        return list(targets), []
    near = [place for place in placed if place.zone == zone] if zone else []
    chosen = usable
    if near and sum(place.usable and place.well for place in near) >= max(1.0, spill * len(near)):
        chosen = [index for index in usable if placed[index].zone == zone]
    taken = set(chosen)
    return [targets[index] for index in chosen], [targets[index] for index in usable if index not in taken]
