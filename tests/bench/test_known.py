"""The bench of what can be known: what it tells the trees is true, of the present alone, and of development worlds."""

from dataclasses import replace

import numpy as np
import pytest
from bench.known import LEVELS, Choice, Found, Level, measure, note, outcome, table
from bench.known_world import FAULT, NO_KIND, STATE, hidden
from numpy.typing import NDArray

from foregate.lab.catalogue import KINDS
from foregate.lab.minutes import WorldPlan, generate, plan
from foregate.lab.minutes.plan import Trouble
from foregate.predict.evaluate.paging import BUDGETS

KIND, AGE, LEFT, CALLED_LEFT = (len(STATE) + place for place in range(len(FAULT)))
REACH_S = 7_200.0


def slowed(*, lasts_s: float = REACH_S, heals: bool = False) -> tuple[WorldPlan, str, str]:
    """A company with one fault alone, from minute 60: (it, the service that the fault befalls, one that calls it)."""
    drawn = (plan("train", number, 0, 0.2) for number in range(99))
    world, caller = next((each, service) for each in drawn for service in each.services if service.calls)
    called = caller.calls[0][0]
    fault = Trouble("brownout", called, 3_600.0, lasts_s, 0.1, REACH_S, heals)
    return replace(world, troubles=(fault,)), called, caller.name


def of(world: WorldPlan, service: str) -> NDArray[np.float32]:
    """(N, columns) of the first API of a service."""
    names = [entity.service for entity in generate(world).entities]
    told = hidden(world)
    assert told.shape == (len(names), world.minutes, len(STATE) + len(FAULT))
    rows: NDArray[np.float32] = told[names.index(service)]
    return rows


def test_a_fault_is_told_while_it_is_on_and_those_who_call_the_service_know_how_soon_it_fails() -> None:
    world, called, caller = slowed()
    own, other = of(world, called), of(world, caller)
    on = slice(60, 179)  # it begins as minute 60 does, and is over when minute 179 ends
    assert (own[on, KIND] == list(KINDS).index("brownout")).all()
    assert (np.delete(own[:, KIND], np.arange(59, 179)) == NO_KIND).all()
    assert np.isnan(own[:59, [AGE, LEFT]]).all()
    np.testing.assert_allclose(own[on, AGE], np.arange(1, 120) / 120, rtol=1e-5)
    np.testing.assert_allclose(own[on, LEFT], np.arange(119, 0, -1), rtol=1e-5)
    np.testing.assert_array_equal(other[on, CALLED_LEFT], own[on, LEFT])
    assert (other[:, KIND] == NO_KIND).all()


def test_the_inner_state_is_that_of_the_service_and_the_worst_of_those_it_calls() -> None:
    world, called, caller = slowed()
    own, other = of(world, called), of(world, caller)
    hold, worst = STATE.index("hold"), STATE.index("hold, worst of those called")
    assert own[170:178, hold].mean() > 1.5 * own[30:58, hold].mean()
    assert (other[:, worst] >= own[:, hold]).all()
    for share in ("seats busy", "refused", "heap alive", "connections taken", "quota spent", "failed"):
        values = own[:, STATE.index(share)]
        assert ((values >= 0) & (values <= 1)).all(), share


@pytest.mark.parametrize(("lasts_s", "heals"), [(REACH_S, True), (2 * REACH_S, False)])
def test_nobody_is_told_whether_a_fault_will_heal_or_how_long_it_lasts(lasts_s: float, heals: bool) -> None:
    world, other = slowed()[0], slowed(lasts_s=lasts_s, heals=heals)[0]
    np.testing.assert_array_equal(hidden(world)[:, :179], hidden(other)[:, :179])


def test_the_same_trees_are_told_more_and_more_and_their_table_says_what_it_helped() -> None:
    choice = Choice(worlds=2, choosing=1, days=1.0, jobs=1)
    found = measure(choice)
    assert [level.known for level in found.levels] == list(LEVELS)
    assert list(LEVELS.values()) == sorted(LEVELS.values())
    for level in found.levels:
        assert level.pr_auc > 3 * found.base_rate
        assert list(level.recall) == sorted(level.recall)
        assert len(level.recall) == len(BUDGETS)
        assert f"| {level.known} | {level.pr_auc:.3f} | " in table(found)
    assert f"{found.failures} failures in 1 companies of 1 days" in note(choice, found)


def test_with_too_few_failures_the_table_is_not_to_be_believed() -> None:
    many = Found((Level("all", 0.4, (0.1, 0.2, 0.3)),), moments=10, failing=0.1, failures=200, base_rate=0.01)
    assert outcome(Choice(), many).invalid == []
    [complaint] = outcome(Choice(), replace(many, failures=199)).invalid
    assert "199 failures are too few" in complaint
