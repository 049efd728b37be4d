"""A second attempt beside the first only where it is safe."""

import pytest

from foregate.gateway.policies.hedge import due
from foregate.wire.policies import Hedge

SAFE = {"repeatable": True, "replayable": True, "answered": False}


def test_up_to_max_hedges_are_sent() -> None:
    assert [due(Hedge(0.1, max=2), hedges, **SAFE) for hedges in range(4)] == [True, True, False, False]


@pytest.mark.parametrize("change", [{"repeatable": False}, {"replayable": False}, {"answered": True}])
def test_nothing_unsafe_or_useless_is_asked_twice(change: dict[str, bool]) -> None:
    assert not due(Hedge(0.1), 0, **{**SAFE, **change})
