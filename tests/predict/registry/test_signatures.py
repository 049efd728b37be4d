"""How failures announced themselves, read from the minutes before them."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.predict.registry.making import system

from foregate.predict.evaluate.system import COLUMN
from foregate.predict.evaluate.truth import truth_of
from foregate.predict.registry.signatures import CHANGED, UNKNOWN, WITHOUT_WARNING, signature, signatures

ONSET = 100


def minutes(**grown: tuple[int, float]) -> NDArray[np.float64]:
    """A calm API; each named column takes a value from so many minutes before the failure on."""
    rng = np.random.default_rng(1)
    table = np.full((len(COLUMN), 120), np.nan)
    table[COLUMN["requests"]] = rng.poisson(100, 120)
    table[COLUMN["p95_ms"]] = 100 * np.exp(rng.normal(0, 0.1, 120))
    table[COLUMN["inflight_max"]] = rng.integers(1, 5, 120)
    for name in ("errors", "retries", "limited", "deploys"):
        table[COLUMN[name]] = 0.0
    for name, (before, value) in grown.items():
        table[COLUMN[name], ONSET - before : ONSET] = value
    table[COLUMN["errors"], ONSET:] = 50
    return table


@pytest.mark.parametrize(
    ("grown", "expected"),
    [
        ({"p95_ms": (10, 300.0)}, "latency grew first"),
        ({"p95_ms": (5, 300.0), "requests": (12, 400.0)}, "traffic grew first"),
        ({"errors": (8, 3.0), "p95_ms": (4, 300.0)}, "errors crept up first"),
        ({"retries": (9, 20.0), "p95_ms": (6, 300.0)}, "retries grew first"),
        ({"inflight_max": (9, 40.0)}, "saturation grew first"),
        ({"limited": (9, 40.0)}, "throttled first"),
        ({"quota_left": (13, 0.01), "p95_ms": (13, 300.0)}, "something ran out"),
        ({}, WITHOUT_WARNING),
        ({"p95_ms": (1, 900.0)}, WITHOUT_WARNING),
        ({"deploys": (3, 1.0)}, CHANGED),
        ({"deploys": (3, 1.0), "p95_ms": (10, 300.0)}, "latency grew first"),
    ],
)
def test_what_left_its_usual_level_first_gives_the_signature(
    grown: dict[str, tuple[int, float]], expected: str
) -> None:
    assert signature(minutes(**grown), ONSET) == expected


def test_a_short_spike_that_went_away_is_no_warning() -> None:
    table = minutes()
    table[COLUMN["p95_ms"], ONSET - 12 : ONSET - 10] = 900.0
    assert signature(table, ONSET) == WITHOUT_WARNING


def test_without_a_recorded_past_no_signature_is_made_up() -> None:
    assert signature(minutes(p95_ms=(10, 300.0))[:, ONSET - 12 :], 12) == UNKNOWN
    assert signature(np.full((len(COLUMN), 120), np.nan), ONSET) == UNKNOWN


def test_minutes_that_were_not_recorded_do_not_hide_a_growth() -> None:
    table = minutes(p95_ms=(10, 300.0))
    table[:, ONSET - 8] = np.nan
    assert signature(table, ONSET) == "latency grew first"


def test_the_failures_of_a_system_are_told_apart() -> None:
    traffic = system(12, 4.0, seed=4, warned=0.5)
    truth = truth_of(traffic, 900)
    onsets = list(zip(truth.entity.tolist(), truth.onset.tolist(), strict=True))
    found = signatures(traffic, onsets)
    assert set(found) <= {"latency grew first", WITHOUT_WARNING, UNKNOWN}
    assert 0.3 < found.count("latency grew first") / len(found) < 0.7
