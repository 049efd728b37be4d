"""VUS-PR: against the definition computed by hand, and the properties that make it worth having."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.predict.evaluate.labelled import vus_pr
from foregate.predict.evaluate.labelled.vus import Floats, range_pr_auc, runs


def label_of(*at: int, n: int = 200) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    label = np.zeros(n, dtype=np.bool_)
    label[list(at)] = True
    return label


def slowly(score: Floats, label: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], buffer: int) -> float:
    """Range-PR-AUC as the paper says it, threshold by threshold and sample by sample."""
    n, ranges = len(score), runs(label).tolist()
    weight = label.astype(float)
    for first, last in ranges:
        for distance in range(1, buffer // 2 + 1):
            for at in (first - distance, last + distance):
                nearest = not label[min(at, first) : first].any() and not label[last + 1 : at + 1].any()
                if 0 <= at < n and not label[at] and nearest:
                    weight[at] += (1 - distance / buffer) ** 0.5
    weight = np.minimum(weight, 1.0)
    wide = runs(weight > 0).tolist()
    area = before = 0.0
    for threshold in sorted(set(score.tolist()), reverse=True):
        alarm = score >= threshold
        hit = float(weight[alarm].sum())
        positives = label.sum() + weight[alarm & ~label].sum() / 2
        met = sum(alarm[first : last + 1].any() for first, last in wide) / len(wide)
        recall = min(hit / positives, 1.0) * met
        area += (recall - before) * hit / alarm.sum()
        before = recall
    return area


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.data())
def test_it_is_what_the_definition_says(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 25))
    score = np.asarray(data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n)), dtype=float)
    label = np.asarray(data.draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(any)))
    found = range_pr_auc(score, label, 9)
    assert found == pytest.approx([slowly(score, label, buffer) for buffer in range(10)])


def test_by_hand_without_a_buffer() -> None:
    score = np.asarray([0.9, 0.8, 0.1, 0.2])
    label = np.asarray([False, True, False, True])
    # from the top: a miss, a hit (precision 1/2, recall 1/2, half of the ranges met), a hit (2/3, 1, all met)
    assert range_pr_auc(score, label, 0)[0] == pytest.approx(0.25 * 1 / 2 + 0.75 * 2 / 3)


def test_the_labels_themselves_are_perfect_and_chance_is_worth_the_prevalence() -> None:
    label = label_of(*range(50, 60), *range(120, 140))
    assert vus_pr(label.astype(float), label, 40) == pytest.approx(1.0)
    assert vus_pr(np.zeros(200), label, 0) == pytest.approx(0.15)
    wide = label_of(*range(500, 1000), n=5000)
    assert vus_pr(np.random.default_rng(1).random(5000), wide, 0) == pytest.approx(0.1, abs=0.02)


def test_a_hit_just_beside_the_label_counts_with_a_buffer_and_not_without() -> None:
    label = label_of(*range(100, 106))
    score = np.zeros(200)
    score[108:112] = 1
    near = range_pr_auc(score, label, 60)
    assert near[0] < 0.1
    assert near[60] > 0.5
    assert near[60] > range_pr_auc(np.roll(score, 60), label, 60)[60] + 0.25


def test_what_was_not_scored_ranks_last_and_a_series_without_label_has_no_result() -> None:
    label = label_of(3, n=6)
    assert vus_pr(np.asarray([np.nan, np.nan, np.nan, 1, np.nan, np.nan]), label, 0) == pytest.approx(1.0)
    assert np.isnan(vus_pr(np.zeros(6), np.zeros(6, dtype=np.bool_), 5))


def test_only_the_order_of_scores_counts() -> None:
    rng = np.random.default_rng(2)
    score, label = rng.random(200), label_of(*range(40, 50))
    assert vus_pr(np.exp(5 * score), label, 30) == vus_pr(score, label, 30)
