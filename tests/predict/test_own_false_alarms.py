"""What alerts have cost an organisation, and the threshold that follows from it."""

import numpy as np
import pytest

from foregate.predict.alerts import false_alarms
from foregate.predict.alerts.book import CONFIRM_S
from foregate.predict.alerts.false_alarms import Counts, OwnRecord, OwnRecords
from foregate.wire.entity import Entity

T0 = 1_700_000_040.0
CURVE = ((0.1, 0.9), (0.5, 0.6), (2.0, 0.3), (8.0, 0.1))
HORIZON_S = 900.0
SCORES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.7 / 3, 0.5 / 3, 0.1)  # of the curve, and two between each two of it
K = len(SCORES)
DAY_S = 86_400.0


@pytest.fixture
def remembering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(false_alarms, "HALF_LIFE_S", float("inf"))


def api(number: int, org: str = "acme") -> Entity:
    return Entity(org, f"s{number}", "/x", "prod")


def made(entities_max: int = 100) -> OwnRecord:
    return OwnRecord("m1", CURVE, HORIZON_S, entities_max=entities_max)


def lived(
    of: OwnRecord, days: float, false_per_day: float, *, score: float = 0.5, apis: int = 20, seed: int = 1
) -> int:
    """So many days of `apis`, of which each scores `score` so often for a minute, and nothing ever fails."""
    rng, pages = np.random.default_rng(seed), 0
    for minute in range(round(days * 1440)):
        scores = np.where(rng.random(apis) < false_per_day / 1440, score, 0.01)
        now_s = T0 + 60 * minute
        of.settle(now_s)
        threshold = of.threshold(0.5)
        pages += int((scores >= threshold).sum())
        of.observe(now_s, [api(i) for i in range(apis)], scores)
    return pages


def test_before_anything_was_seen_the_threshold_is_that_of_the_curve() -> None:
    assert [made().threshold(budget) for budget in (0.01, 0.1, 0.5, 2.0, 100.0)] == [0.9, 0.9, 0.6, 0.3, 0.1]


def test_where_nothing_is_paged_for_nothing_the_threshold_falls_by_what_the_budget_allows() -> None:
    calm = made()
    lived(calm, 1.0, 0.0)
    assert calm.threshold(0.5) < 0.3  # where it was measured that pages twice a day
    assert calm.threshold(0.1) < made().threshold(0.1)


def test_where_a_score_pages_for_nothing_too_often_the_threshold_rises_until_the_budget_is_kept() -> None:
    noisy = made()
    lived(noisy, 2.0, 1.5, score=0.7)
    assert noisy.threshold(0.5) > 0.7
    assert lived(made(), 4.0, 1.5, score=0.7) / (4 * 20) <= 0.5 * 1.25


def test_a_right_page_costs_nothing_and_a_wrong_one_counts_at_every_score_it_reaches() -> None:
    of, other = made(), api(2)
    of.observe(T0, [api(1), other], np.array([0.7, 0.35]))
    of.failed(api(1), T0 + 600)
    of.settle(T0 + 3_600)
    assert of.counts.false == (0.0,) * 6 + (1.0,) * 4  # 0.35 reaches 0.3 and those below


def test_a_failure_before_the_page_or_beyond_its_horizon_does_not_make_it_right() -> None:
    for onset_s, false in ((T0 - 300, 1.0), (T0 - 60, 0.0), (T0 + 900, 0.0), (T0 + 1_000, 1.0)):
        of = made()
        of.observe(T0, [api(1)], np.array([0.95]))
        of.failed(api(1), onset_s)
        of.failed(api(7), T0 + 60)  # of which nothing was ever said
        of.settle(T0 + 3_600)
        assert of.counts.false == (false,) * K, onset_s


def test_a_page_is_valid_for_one_horizon_and_then_pages_again() -> None:
    of = made()
    for minute in range(46):
        of.observe(T0 + 60 * minute, [api(1)], np.array([0.95]))
    of.settle(T0 + 7_200)
    assert of.counts.false == pytest.approx((4.0,) * K, rel=0.01)  # at 0, 15, 30 and 45 minutes


def test_an_outcome_is_awaited_until_a_late_failure_would_be_certain() -> None:
    of = made()
    of.observe(T0, [api(1)], np.array([0.95]))
    of.settle(T0 + HORIZON_S + CONFIRM_S - 1)
    assert of.counts.false == (0.0,) * K
    of.settle(T0 + HORIZON_S + CONFIRM_S)
    assert of.counts.false == (1.0,) * K


def test_days_are_counted_while_an_api_is_watched_and_not_over_gaps() -> None:
    of = made()
    for at_s in (0, 60, 120, 4_000, 4_060):
        of.observe(T0 + at_s, [api(1), api(2)], np.array([0.0, 0.0]))
    assert of.counts.days == 0.0, "what becomes of these minutes is not known yet"
    of.settle(T0 + 4_060 + HORIZON_S + CONFIRM_S)
    assert of.counts.days * DAY_S == pytest.approx(2 * 180, rel=0.01)


def test_however_lucky_a_rate_falls_to_an_eighth_at_most_and_an_unlucky_one_has_no_bound() -> None:
    lucky, unlucky = made(), made()
    lived(lucky, 3.0, 0.0)
    lived(unlucky, 1.0, 60.0, score=0.65)
    assert lucky.rates == pytest.approx(made().rates / 8)
    assert unlucky.rates[SCORES.index(0.6)] > 20.0
    assert unlucky.threshold(0.5) > 0.65, (
        "a score that costs so much is no threshold, however good it was measured to be"
    )


@pytest.mark.parametrize("apis", [50, 1_000])
def test_many_apis_do_not_look_harmless_before_any_outcome_is_known(apis: int) -> None:
    of, entities = made(entities_max=apis), [api(i) for i in range(apis)]
    first = of.threshold(0.5)
    for minute in range(18):
        of.observe(T0 + 60 * minute, entities, np.full(apis, 0.5))
        of.settle(T0 + 60 * minute)
        assert of.threshold(0.5) == first
    of.settle(T0 + 1_200)
    assert of.threshold(0.5) >= first


def test_what_was_long_ago_counts_half_after_a_week() -> None:
    of = made()
    of.restore(Counts("m1", T0, 10.0, (4.0,) * K))
    of.observe(T0 + 7 * DAY_S, [], np.zeros(0))
    assert (of.counts.days, of.counts.false) == (pytest.approx(5.0), pytest.approx((2.0,) * K))


def of_org(records: OwnRecords, org: str = "acme", model: str = "m1") -> OwnRecord:
    found = records.of(org, model, CURVE)
    assert found is not None
    return found


def test_a_restart_goes_on_with_what_was_counted() -> None:
    before = OwnRecords(HORIZON_S)
    lived(of_org(before), 1.0, 0.0)
    after = OwnRecords(HORIZON_S, before.counts)
    assert after.counts == before.counts  # before it is asked for, too
    assert of_org(after).threshold(0.5) == of_org(before).threshold(0.5) < 0.6
    assert of_org(after, "globex").threshold(0.5) == 0.6


def test_counts_of_another_model_or_damaged_ones_are_left() -> None:
    for counts in (
        Counts("m0", T0, 10.0, (0.0,) * K),
        Counts("m1", T0, 10.0, (0.0,) * (K - 1)),
        Counts("m1", T0, -1.0, (0.0,) * K),
        Counts("m1", T0, float("nan"), (0.0,) * K),
        Counts("m1", T0, 10.0, (float("inf"),) * K),
    ):
        assert of_org(OwnRecords(HORIZON_S, {"acme": (counts,)})).counts.days == 0.0


def test_another_model_begins_anew_and_one_that_was_away_for_a_moment_goes_on() -> None:
    records = OwnRecords(HORIZON_S)
    lived(of_org(records), 0.5, 0.0)
    counted = of_org(records).counts
    assert of_org(records, model="m2").threshold(0.5) == 0.6
    of_org(records, model="m2").observe(T0 + DAY_S, [api(1)], np.array([0.0]))
    assert of_org(records).counts.days == counted.days
    assert [each.model_version for each in records.counts["acme"]] == ["m1", "m2"]


def test_one_that_was_asked_for_and_never_shown_a_score_is_not_kept() -> None:
    records = OwnRecords(HORIZON_S)
    of_org(records)
    assert records.counts == {}


def test_an_organisation_that_is_gone_keeps_its_counts_for_a_month_and_no_room() -> None:
    records = OwnRecords(HORIZON_S)
    of_org(records).observe(T0, [api(1)], np.array([0.95]))
    records.settle(T0 + 3_600)
    counted = records.counts
    records.settle(T0 + 2 * DAY_S)
    assert records.counts == counted
    assert of_org(records).counts.false == (1.0,) * K
    records.settle(T0 + 4 * DAY_S)
    records.settle(T0 + 40 * DAY_S)
    assert records.counts == {}


def test_of_more_organisations_than_there_is_room_for_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(false_alarms, "RECORDS_MAX", 2)
    records = OwnRecords(HORIZON_S)
    assert [records.of(org, "m1", CURVE) is None for org in ("a", "b", "c", "a")] == [False, False, True, False]


def test_organisations_do_not_share_a_record() -> None:
    records = OwnRecords(HORIZON_S)
    for org in ("acme", "globex"):
        of_org(records, org).observe(T0, [api(1, org)], np.array([0.95]))
    records.failed(api(1, "acme"), T0 + 60)
    records.failed(api(1, "initech"), T0 + 60)
    records.settle(T0 + 3_600)
    assert {org: sum(counts.false) for org, (counts,) in records.counts.items()} == {"acme": 0.0, "globex": float(K)}


def test_after_the_clock_was_set_back_pages_are_counted_again() -> None:
    of = made()
    of.observe(T0 + 10_000, [api(1)], np.array([0.95]))
    of.observe(T0, [api(1)], np.array([0.95]))
    of.settle(T0 + 3_600)
    assert of.counts.false == (1.0,) * K
    assert of.counts.days == 0.0


def test_what_was_watched_before_the_clock_was_set_back_is_counted_neither_now_nor_when_it_is_that_time_again() -> None:
    of = made()
    for minute in range(3):
        of.observe(T0 + 10_000 + 60 * minute, [api(1)], np.array([0.0]))
    of.observe(T0, [api(1)], np.array([0.0]))
    of.settle(T0 + 20_000)
    assert of.counts.days == 0.0


def test_no_threshold_lies_below_a_score_that_breaks_the_budget() -> None:
    """A lower score pages wherever a higher one does; it looks cheaper only because its pages are longer ago."""
    of = made()
    of.restore(Counts("m1", T0, 10.0, (0.0,) * 3 + (60.0,) + (0.0,) * 6))
    assert of.rates[3] > 0.5 >= of.rates[4]
    assert of.threshold(0.5) == SCORES[2]


def test_beyond_the_bound_apis_are_not_followed_until_others_are_gone_for_a_day() -> None:
    of = made(entities_max=2)
    of.observe(T0, [api(1), api(2), api(3)], np.array([0.0, 0.0, 0.95]))
    of.settle(T0 + 3_600)
    assert of.counts.false == (0.0,) * K
    of.observe(T0 + 2 * DAY_S, [api(3)], np.array([0.95]))
    of.settle(T0 + 3 * DAY_S)
    assert of.counts.false == pytest.approx((1.0,) * K, rel=0.2)


@pytest.mark.parametrize("heir", [[], [api(2)]])
def test_a_page_of_an_api_that_is_gone_for_a_day_counts_neither_by_itself_nor_for_who_takes_its_place(
    heir: list[Entity],
) -> None:
    of = made(entities_max=1)
    of.observe(T0, [api(1)], np.array([0.95]))
    of.observe(T0 + 2 * DAY_S, heir, np.zeros(len(heir)))
    of.settle(T0 + 3 * DAY_S)
    assert of.counts.false == (0.0,) * K


@pytest.mark.usefixtures("remembering")
@pytest.mark.parametrize("seed", range(4))
def test_every_score_is_counted_as_if_it_were_the_threshold(seed: int) -> None:
    """Against a record kept the slow way: one API and one score at a time."""
    rng = np.random.default_rng(seed)
    apis, minutes = 5, 400
    scores = rng.random((apis, minutes)) ** 3
    failing = {(int(e), int(m)) for e, m in zip(rng.integers(apis, size=12), rng.integers(30, 380, 12), strict=True)}

    def ill(e: int, minute: int) -> bool:
        return any((e, m) in failing for m in range(minute - 10, minute + 1))

    of = made()
    for minute in range(minutes):
        now_s = T0 + 60 * minute
        for e in range(apis):
            if (e, minute - 3) in failing:
                of.failed(api(e), now_s - 180)
        of.settle(now_s)
        well = [e for e in range(apis) if not ill(e, minute)]
        of.observe(now_s, [api(e) for e in well], scores[well, minute])
    of.settle(T0 + 1e6)
    expected = []
    for score in SCORES:
        false = 0
        for e in range(apis):
            free = 0
            for minute in range(minutes):
                if minute >= free and scores[e, minute] >= score and not ill(e, minute):
                    free = minute + 15
                    false += not any((e, m) in failing for m in range(minute - 2, minute + 16))
        expected.append(false)
    assert of.counts.false == pytest.approx(expected)
