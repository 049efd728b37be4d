"""A few thousand mutated bodies of telemetry, always the same; `python -m tests.fuzz --telemetry` sends far more."""

from tests.fuzz.telemetry import ITEMS, case

SEED = 20_261_121_000_000
CASES = 4_000


def test_mutated_bodies_cost_nothing_but_what_is_bad_in_them() -> None:
    outcomes = [case(seed) for seed in range(SEED, SEED + CASES)]
    refused = sum(outcome.refused for outcome in outcomes)
    assert CASES * 0.1 < refused < CASES * 0.6
    assert sum(outcome.taken for outcome in outcomes) > CASES * ITEMS * 0.4
