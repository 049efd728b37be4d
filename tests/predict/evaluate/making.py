"""Small systems for the tests of the protocol."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.system import COLUMN, System
from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS, FaultNote

T0 = 1_700_000_040.0


def system(
    name: str = "a",
    *,
    entities: int = 1,
    minutes: int = 120,
    bad: Iterable[tuple[int, int]] = (),
    gaps: Iterable[tuple[int, int]] = (),
    faults: tuple[FaultNote, ...] = (),
    calls: frozenset[tuple[str, str]] = frozenset(),
) -> System:
    """Calm traffic with bad minutes and unrecorded ones at (entity, minute)."""
    values = np.full((entities, len(COLUMNS), minutes), np.nan, dtype=np.float32)
    for column, value in {"requests": 600, "errors": 0, "p95_ms": 100, "p50_ms": 40, "retries": 0}.items():
        values[:, COLUMN[column]] = value
    for entity, minute in bad:
        values[entity, COLUMN["errors"], minute] = 60
    for entity, minute in gaps:
        values[entity, :, minute] = np.nan
    named = tuple(Entity("acme", f"s{i}", "/x", "prod") for i in range(entities))
    return System(name, T0, named, values, calls, faults)


def noisy(name: str, seed: int, *, entities: int = 6, minutes: int = 1500, share: float = 0.5) -> System:
    """Failures that a growing p95 announces for 12 minutes in `share` of the cases, and as many false starts."""
    rng = np.random.default_rng(seed)
    made = system(name, entities=entities, minutes=minutes)
    values = made.minutes
    values[:, COLUMN["requests"]] = rng.poisson(600, (entities, minutes))
    values[:, COLUMN["errors"]] = rng.poisson(1.0, (entities, minutes))
    values[:, COLUMN["p95_ms"]] = 100 * rng.lognormal(0, 0.1, (entities, minutes))
    for entity in range(entities):
        for onset in range(120 + int(rng.integers(60)), minutes - 60, 240):
            if rng.random() < share:
                values[entity, COLUMN["p95_ms"], onset - 12 : onset] *= np.linspace(1.2, 4.0, 12)
            if rng.random() < 0.7:
                values[entity, COLUMN["errors"], onset : onset + 5] = 200
    return made


def bad_runs(*runs: tuple[int, int], entity: int = 0) -> list[tuple[int, int]]:
    """(entity, minute) of each minute first ≤ j < end."""
    return [(entity, j) for first, end in runs for j in range(first, end)]


def scores_at(of: System, *moments: tuple[int, int], high: float = 1.0) -> NDArray[np.float64]:
    """(E, N): `high` at the given (entity, minute), 0 elsewhere."""
    scores = np.zeros((len(of.entities), of.minutes.shape[2]))
    for entity, minute in moments:
        scores[entity, minute] = high
    return scores
