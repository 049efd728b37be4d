"""What really happened in recorded minutes: bad minutes, spells, failures, and which moments may be judged.

The definition is that of `predict.failures`, vectorised. Moment j is the end of minute j, when a score is said; its
horizon is the h minutes j+1 … j+h. A minute that was not recorded is neither bad nor a moment: a spell goes on across
a gap of up to ten minutes and ends in a longer one, and a failure that is first seen after a gap begins where it is
first seen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.system import System
from foregate.predict.failures import BAD_IN_A_ROW, GOOD_BEFORE_MIN, LEAD_S_MIN
from foregate.wire.entity import Entity
from foregate.wire.minutes import FaultNote

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

LEAD_MIN: Final = int(LEAD_S_MIN // 60)  # minutes; a shorter warning is no warning
KNOWN_SHARE_MIN: Final = 0.8  # of the horizon's minutes must have been recorded, else nobody knows what happened
TAIL_S: Final = 600.0  # an effect may show for so long after its cause has ended


class Spells(NamedTuple):
    """K spells of bad minutes, by entity and time; each (K,). `first`, `last`: minutes; `failed`: a failure."""

    entity: Ints
    first: Ints
    last: Ints
    failed: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What a system's scores are judged by, for one horizon.

    `scored` (E, N): the moments that count: the minute was recorded, the entity is healthy (not in a spell, nor in the
    ten minutes after one), and what followed is known. `label` (E, N): a failure begins within the horizon.
    The K failures by entity and time, each (K,): `entity`; `onset`, the first bad minute; `counted`: no when nothing
    was recorded in time to foresee it, or it came too late in the recording: to page for such a one is no false alarm,
    to miss it no miss; `first`: the entity's first in this recording; `causes`: kinds of faults, "" when none is known.
    """

    horizon_min: int
    scored: Bools
    label: Bools
    entity: Ints
    onset: Ints
    counted: Bools
    first: Bools
    causes: tuple[str, ...]


def bad_minutes(system: System) -> Bools:
    """(E, N): 5xx and timeouts ≥ 5 % of the requests, and at least 5 of them."""
    errors, requests = system.of("errors"), system.of("requests")
    bad: Bools = (errors >= 5) & (errors >= 0.05 * requests)  # comparisons with NaN are False
    return bad


def in_a_row(bad: Bools) -> Bools:
    """The minutes (E, N) with which so many bad ones in a row are over that it is a failure."""
    found = bad.copy()
    for back in range(1, BAD_IN_A_ROW):
        found[:, back:] &= bad[:, :-back]
        found[:, :back] = False
    return found


def spells_in(bad: Bools) -> Spells:
    """The spells of bad minutes (E, N)."""
    entity, minute = np.nonzero(bad)
    if not entity.size:
        return Spells(entity, minute, minute, np.zeros(0, dtype=bool))
    begins = np.append(True, (np.diff(entity) != 0) | (np.diff(minute) > GOOD_BEFORE_MIN))
    third = in_a_row(bad)
    at = np.flatnonzero(begins)
    failed = np.logical_or.reduceat(third[entity, minute], at)
    last = minute[np.append(at[1:], len(minute)) - 1]
    return Spells(entity[at], minute[at], last, failed)


def truth_of(system: System, horizon_s: int) -> Truth:
    """See `Truth`."""
    horizon_min = horizon_s // 60
    spells = spells_in(bad_minutes(system))
    entity, onset = spells.entity[spells.failed], spells.first[spells.failed]
    shape = (len(system.entities), system.minutes.shape[2])
    causes = Causes(system.faults, system.calls)
    known = _known(~np.isnan(system.of("requests")), horizon_min)
    return Truth(
        horizon_min=horizon_min,
        scored=known & ~_covered(shape, spells.entity, spells.first, spells.last + GOOD_BEFORE_MIN),
        label=_covered(shape, entity, onset - horizon_min, onset),
        entity=entity,
        onset=onset,
        counted=_any_between(known, entity, onset - horizon_min, onset - LEAD_MIN),
        first=np.append(True, np.diff(entity) != 0)[: len(entity)],
        causes=tuple(
            causes.of(system.entities[e], system.start_s + 60.0 * minute)
            for e, minute in zip(entity.tolist(), onset.tolist(), strict=True)
        ),
    )


def _known(recorded: Bools, horizon_min: int) -> Bools:
    """The recorded minutes after which enough is known: the horizon and the proof of a failure that begins in it."""
    minutes = recorded.shape[1]
    sums = np.pad(np.cumsum(recorded, axis=1), ((0, 0), (1, 0)))
    known = np.zeros_like(recorded)
    judged = max(minutes - horizon_min - (BAD_IN_A_ROW - 1), 0)
    ahead: Ints = sums[:, 1 + horizon_min : 1 + horizon_min + judged] - sums[:, 1 : 1 + judged]
    known[:, :judged] = recorded[:, :judged] & (ahead >= KNOWN_SHARE_MIN * horizon_min)
    return known


def _covered(shape: tuple[int, int], entity: Ints, low: Ints, high: Ints) -> Bools:
    """(E, N): which cells lie in one of the ranges low ≤ j < high of their entity."""
    steps = np.zeros((shape[0], shape[1] + 1), dtype=np.int32)
    np.add.at(steps, (entity, np.clip(low, 0, shape[1])), 1)
    np.add.at(steps, (entity, np.clip(high, 0, shape[1])), -1)
    covered: Bools = np.cumsum(steps[:, :-1], axis=1) > 0
    return covered


def _any_between(cells: Bools, entity: Ints, low: Ints, high: Ints) -> Bools:
    """(K,): whether any cell low ≤ j < high of the entity is set."""
    sums = np.pad(np.cumsum(cells, axis=1), ((0, 0), (1, 0)))
    low, high = np.clip(low, 0, cells.shape[1]), np.clip(high, 0, cells.shape[1])
    found: Bools = sums[entity, high] > sums[entity, low]
    return found


class Causes:
    """The kind of fault behind a failure: the latest harmful one that was on, or had just ended, when it began.

    One that befell the entity's own service goes before one of a service that it calls, and that before any other.
    What a service reaches is found once: every failure asks for it, and the calls of a large system are many.
    """

    def __init__(self, faults: Sequence[FaultNote], calls: Iterable[tuple[str, str]]) -> None:
        self._faults = [fault for fault in faults if not fault.benign]
        self._start_s = np.array([fault.start_s for fault in self._faults])
        self._end_s = np.array([fault.start_s + fault.duration_s for fault in self._faults])
        self._calls: dict[str, set[str]] = {}
        for caller, called in calls:
            self._calls.setdefault(caller, set()).add(called)
        self._near: dict[str, set[str]] = {}

    def of(self, entity: Entity, onset_s: float) -> str:
        """The kind, "" when no fault was on."""
        on = [
            self._faults[i] for i in np.flatnonzero((self._start_s <= onset_s + 60) & (onset_s <= self._end_s + TAIL_S))
        ]
        if not on:
            return ""
        own = [fault for fault in on if fault.service == entity.service]
        called = [] if own else [fault for fault in on if fault.service in self._reached(entity.service)]
        return max(own or called or on, key=lambda fault: fault.start_s).kind

    def _reached(self, service: str) -> set[str]:
        """The services that one calls, and those that these call."""
        if service not in self._near:
            reached, todo = {service}, [service]
            while todo:
                new = self._calls.get(todo.pop(), set()) - reached
                reached |= new
                todo.extend(new)
            self._near[service] = reached - {service}
        return self._near[service]
