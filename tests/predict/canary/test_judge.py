"""When a canary is rolled back, and when it is left alone."""

import math
import random

import pytest

from foregate.predict.canary import Arm, CanaryWatch, Counts, Watched, verdict
from foregate.predict.canary.judge import _at_least
from foregate.wire.canary import Canary, fingerprint
from foregate.wire.event import RequestEvent

CANARY = Canary("next")


@pytest.mark.parametrize(
    ("new", "old", "said"),
    [
        (Counts(100, 30), Counts(1_000, 3), "30.0% of 100 requests failed, 0.3% of 1000"),
        (Counts(100, 30), Counts(0, 0), "30.0% of 100"),
        (Counts(29, 29), Counts(1_000, 0), None),  # too few to say
        (Counts(100, 30), Counts(1_000, 290), None),  # the other one fails as often
        (Counts(1_000, 15), Counts(100_000, 0), None),  # beyond chance, but less than errors_over
        (Counts(40, 2), Counts(1_000, 0), None),  # too few failures
        (Counts(100, 0, 500.0, 60), Counts(1_000, 0, 50.0, 50), "its p95 is 500 ms, 10.0× the 50 ms"),
        (Counts(100, 0, 90.0, 60), Counts(1_000, 0, 50.0, 50), None),  # less than twice as slow
        (Counts(100, 0, 500.0, 6), Counts(1_000, 0, 50.0, 50), None),  # six slow ones may be chance
        (Counts(100, 0, risk=0.9), Counts(1_000, 0, risk=0.1), "its risk of failing is 90%"),
        (Counts(100, 0, risk=0.9), Counts(1_000, 0, risk=0.9), None),  # whatever it is, it strikes both
    ],
)
def test_it_ends_where_it_does_worse_than_what_it_replaces(new: Counts, old: Counts, said: str | None) -> None:
    why = verdict(CANARY, new, old)
    assert (why is None) if said is None else (why is not None and said in why)


def test_latency_and_risk_are_not_judged_where_they_are_switched_off() -> None:
    off = Canary("next", slower_than=None, risk=None)
    assert verdict(off, Counts(100, 0, 500.0, 100, 0.99), Counts(1_000, 0, 5.0, 0, 0.0)) is None


def event(
    at_s: float,
    service: str,
    *,
    failed: bool = False,
    latency_ms: float = 10.0,
    error: str = "",
    attempts: int = 1,
    policies: str = "",
) -> RequestEvent:
    status, said = (500 if failed else 200), ("none", "closed", "none", error, "", 1, latency_ms, policies)
    times = (latency_ms, latency_ms, 0, 0, "", "production", "", "", "", attempts)
    return RequestEvent(at_s, "org", service, "/pay", "GET", status, *times, *said)  # type: ignore[arg-type]


def watch() -> CanaryWatch:
    found = CanaryWatch()
    found.follow([Watched("/pay", "pay", CANARY)])
    return found


@pytest.mark.parametrize("seed", range(8))
def test_healthy_canaries_are_left_alone_for_ten_minutes(seed: int) -> None:
    rng, watching = random.Random(seed), watch()
    for second in range(600):
        for _ in range(30):
            service = "next" if rng.random() < 0.1 else "pay"
            sample = event(second, service, failed=rng.random() < 0.01, latency_ms=rng.lognormvariate(3.0, 0.6))
            watching.add([sample])
        assert watching.judge(second, {}) == []


def test_one_that_fails_one_time_in_five_ends_within_seconds_of_its_first_requests() -> None:
    rng, watching, ended = random.Random(3), watch(), []
    for second in range(120):
        for _ in range(60):
            new = rng.random() < 0.1
            watching.add([event(second, "next" if new else "pay", failed=rng.random() < (0.2 if new else 0.002))])
        if ended := watching.judge(second, {}):
            break
    assert (ended[0].route, ended[0].service, ended[0].settings) == ("/pay", "next", fingerprint(CANARY))
    assert "by chance" in ended[0].reason
    assert second < 30


def test_what_the_client_or_a_policy_did_says_nothing_about_it() -> None:
    watching = watch()
    for second in range(100):
        watching.add([event(second, "next", error="client_closed"), event(second, "other", failed=True)])
    assert watching.counts(Watched("/pay", "pay", CANARY), 100.0, {})[0] == Counts(0, 0)


def test_one_whose_circuit_has_opened_ends_though_nobody_asks_it_any_more() -> None:
    watching = watch()
    watching.add([event(1.0, "next", failed=True, error="upstream_refused") for _ in range(5)])
    watching.add([event(1.0, "next", failed=True, error="circuit_open", attempts=0) for _ in range(50)])
    watching.add([event(1.0, "next", error="rate_limited", attempts=0) for _ in range(50)])
    watching.add([event(1.0, "pay") for _ in range(500)])
    (ended,) = watching.judge(2.0, {})
    assert ended.reason.startswith("100.0% of 55 requests failed, 0.0% of 500")


@pytest.mark.parametrize(
    ("answered_by", "policies"),
    [
        ("pay", "mirror:passed fallback:service:next"),
        ("spare", "fallback:service:next retry:budget_exhausted"),
        ("next", "fallback:answer"),
    ],
)
def test_one_that_fails_ends_also_where_a_fallback_answers_for_it(answered_by: str, policies: str) -> None:
    watching = watch()
    watching.add([event(1.0, answered_by, policies=policies) for _ in range(40)])
    watching.add([event(1.0, "pay") for _ in range(500)])
    (ended,) = watching.judge(2.0, {})
    assert ended.reason.startswith("100.0% of 40 requests failed, 0.0% of 500")


def test_one_that_does_well_is_not_slow_beside_one_that_fails_at_once() -> None:
    watching = watch()
    for second in range(100):
        watching.add([event(second, "next", latency_ms=20.0) for _ in range(3)])
        watching.add([event(second, "pay", latency_ms=0.2, failed=True, error="upstream_refused") for _ in range(30)])
        watching.add([event(second, "pay", latency_ms=20.0)])
        assert watching.judge(second, {}) == []


def test_other_settings_begin_anew_and_the_same_go_on() -> None:
    watching = watch()
    watching.add([event(1.0, "next")])
    watching.follow([Watched("/pay", "pay", CANARY)])
    assert watching.counts(Watched("/pay", "pay", CANARY), 2.0, {})[0].requests == 1
    watching.follow([Watched("/pay", "pay", Canary("next", weight=10))])
    assert watching.counts(Watched("/pay", "pay", Canary("next", weight=10)), 2.0, {})[0].requests == 0


def test_an_arm_forgets_what_lies_before_its_window_and_is_bounded() -> None:
    arm = Arm(60.0)
    for second in range(10_000):
        arm.add(float(second), second % 2 == 0, 10.0)
        arm.expire(float(second))
    assert 60 <= arm.requests <= 62
    assert arm.failures == pytest.approx(30, abs=2)
    assert arm.quantile_ms(0.95) == pytest.approx(10.0, rel=0.06)
    arm.add(9_980.0, False, 10.0)  # a little late
    before = arm.requests
    arm.add(9_000.0, True, 10.0)  # read from the log of an earlier time
    assert arm.requests == before
    arm.expire(20_000.0)
    assert (arm.requests, arm.quantile_ms(0.5)) == (0, 0.0)


@pytest.mark.parametrize(("hits", "of", "share"), [(3, 10, 0.2), (1, 5, 0.5), (40, 60, 0.5), (5, 5, 0.1), (0, 9, 0.3)])
def test_the_tail_of_the_binomial_is_exact(hits: int, of: int, share: float) -> None:
    exact = sum(math.comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(hits, of + 1))
    assert _at_least(hits, of, share) == pytest.approx(exact, rel=1e-6)
