"""Nothing may look ahead: what a scorer says of a minute must not change when what came later is cut off."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from foregate.predict.evaluate.system import Scorer, System
from foregate.predict.evaluate.truth import bad_minutes, spells_in

SYSTEMS_MAX: Final = 2  # that each scorer is tried on
RANDOM_CUTS: Final = 2
_TOLERANCE: Final = 1e-5  # of the score, or its share: sums of another length may be rounded otherwise


class LooksAhead(Exception):
    """A scorer that knows the future; the sentence says where it was caught."""


def refuse_look_ahead(name: str, scorer: Scorer, systems: Sequence[System], rng: np.random.Generator) -> None:
    """Cut systems off at a few minutes and compare. Raises LooksAhead.

    Where a system fails one cut is just before the first bad minute: there a glance ahead pays most.
    """
    for system in systems[:SYSTEMS_MAX]:
        for cut in _cuts(system, rng):
            part = replace(system, minutes=system.minutes[:, :, :cut])
            whole, alone = scorer(system)[:, :cut], scorer(part)
            if alone.shape != whole.shape:
                raise ValueError(f"{name} says {alone.shape} scores of {system.name}, {whole.shape} were asked for")
            near = np.isclose(whole, alone, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
            if not near.all():
                minute = int(np.flatnonzero(~near.all(axis=0))[0])
                raise LooksAhead(
                    f"{name} looks ahead: what it says of minute {minute} of {system.name} changes when the minutes "
                    f"from {cut} on are cut off; its results would be worth nothing, so none are given"
                )


def _cuts(system: System, rng: np.random.Generator) -> list[int]:
    minutes = system.minutes.shape[2]
    if minutes < 2:
        return []
    spells = spells_in(bad_minutes(system))
    telling = [int(first) for first in spells.first[spells.failed][:1] if first > 0]
    return sorted({*telling, *(int(cut) for cut in rng.integers(minutes // 2, minutes, RANDOM_CUTS))})
