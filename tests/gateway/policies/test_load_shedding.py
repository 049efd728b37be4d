"""An overloaded worker refuses the least important first."""

from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.policies.asking import ask, means

from foregate.gateway.policies.load_shedding import LoadSheddingPolicy, threshold
from foregate.gateway.policies.policy import Place, Refuse
from foregate.wire.policies import LoadShedding

SETTINGS = LoadShedding(lateness_s=0.1, lateness_full_s=0.5)


def test_nobody_is_shed_while_the_loop_is_in_time() -> None:
    policy = LoadSheddingPolicy(SETTINGS, means(lateness_s=lambda: 0.099), Place())
    assert policy.admit(ask(priority=0)) is None


def shed_at(late_s: float) -> list[int]:
    policy = LoadSheddingPolicy(SETTINGS, means(lateness_s=lambda: late_s), Place())
    return [priority for priority in (0, 49, 50, 99, 100) if policy.admit(ask(priority=priority)) is not None]


def test_the_lowest_is_shed_first_and_the_highest_never() -> None:
    found = [shed_at(late_s) for late_s in (0.1, 0.3, 0.5, 9.0)]
    assert found == [[0], [0, 49], [0, 49, 50, 99], [0, 49, 50, 99]]


def test_the_refusal_says_when_to_come_back() -> None:
    verdict = LoadSheddingPolicy(SETTINGS, means(lateness_s=lambda: 9.0), Place()).admit(ask())
    assert isinstance(verdict, Refuse)
    assert verdict.code == "shed"
    assert b"retry-after: " in verdict.lines


@given(st.floats(0.0, 2.0), st.floats(0.0, 2.0))
def test_more_lateness_never_sheds_less(one: float, other: float) -> None:
    assert threshold(min(one, other), SETTINGS) <= threshold(max(one, other), SETTINGS) <= 100
