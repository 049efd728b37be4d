"""An organisation's traffic in three parts of time: the earliest to learn, the next to choose by, the latest to judge.

Between two parts a horizon is left out, so that no moment is learnt whose outcome lies in what is judged. Every fifth
API is kept out of what is learnt altogether, where there are `GROUPED_FROM` of them: they show what the model is worth
on an API that it has never seen.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from foregate.predict.evaluate.system import System

LEARN_UNTIL: Final = 0.5  # of the time
CHOOSE_UNTIL: Final = 0.7
PURGE_MINUTES: Final = 60  # the longest horizon
GROUPED_FROM: Final = 10
EACH: Final = 5


class Parts(NamedTuple):
    """`train` holds no minute of `validation`, and none of the APIs of `unseen` (their numbers in the whole)."""

    train: System
    validation: System
    unseen: tuple[int, ...]


def parts_of(system: System) -> Parts:
    """The parts to learn from and to choose by; what is left is the later part."""
    minutes = system.minutes.shape[2]
    learn, choose = int(LEARN_UNTIL * minutes), int(CHOOSE_UNTIL * minutes)
    count = len(system.entities)
    unseen = tuple(range(EACH - 1, count, EACH)) if count >= GROUPED_FROM else ()
    seen = [number for number in range(count) if number not in unseen]
    return Parts(
        train=cut(picked(system, seen), 0, learn),
        validation=cut(system, learn + PURGE_MINUTES, choose),
        unseen=unseen,
    )


def cut(system: System, low: int, high: int) -> System:
    """The minutes from `low` up to `high`."""
    return replace(system, start_s=system.start_s + 60.0 * low, minutes=system.minutes[:, :, low:high])


def picked(system: System, numbers: Sequence[int]) -> System:
    """Some of the entities."""
    chosen = list(numbers)
    return replace(system, entities=tuple(system.entities[i] for i in chosen), minutes=system.minutes[chosen])
