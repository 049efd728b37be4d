"""What every detector promises, held for each of them: the words stand in `detectors.detector.Bank`."""

from collections.abc import Callable

import numpy as np
import pytest

from foregate.predict.detectors import SCORE_MAX, Bank, Fused, JointPca, Single
from foregate.predict.detectors.autoregression import Autoregression
from foregate.predict.detectors.change import Cusum
from foregate.predict.detectors.ewma import EwmaZ
from foregate.predict.detectors.robust import RobustZ
from foregate.predict.detectors.seasonal import Seasonal
from foregate.predict.detectors.slots import Floats
from foregate.predict.detectors.subsequence import SubPca

N, LENGTH = 3, 110
METRICS = 3
Make = Callable[[int], Bank]
MAKERS: dict[str, Make] = {
    "robust z": RobustZ,
    "EWMA + z": EwmaZ,
    "seasonal": lambda size: Seasonal(size, 3600.0),
    "autoregression": Autoregression,
    "sub-PCA": SubPca,
    "CUSUM": Cusum,
    "joint PCA": lambda size: JointPca(size, METRICS),
    "fused": lambda size: Fused(size, 3600.0),
}
every = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


def shaped(make: Make, series: Floats) -> Floats:
    """Series (n, T) as this detector takes them: (n, T), or (n, m, T) with the metrics made from one another."""
    if not isinstance(make(1), JointPca):
        return series
    wave = np.sin(np.arange(series.shape[1]))
    return np.stack((series, 2 * series, series * (1 + 0.1 * wave)), axis=1)


def scores_of(bank: Bank, series: Floats) -> Floats:
    told = np.empty((series.shape[0], series.shape[-1]))
    for t in range(series.shape[-1]):
        told[:, t] = bank.score(series[..., t])
        bank.learn(series[..., t])
    return told


def noisy(seed: int = 1, n: int = N, length: int = LENGTH) -> Floats:
    rng = np.random.default_rng(seed)
    season = 100 + 30 * np.sin(np.arange(length) * 2 * np.pi / 24)
    return season + rng.normal(0, 3, (n, length)) + 5 * rng.standard_normal((n, 1))


@every
def test_there_is_no_look_ahead_and_scoring_changes_nothing(make: Make) -> None:
    series = shaped(make, noisy())
    whole = scores_of(make(N), series)
    np.testing.assert_array_equal(scores_of(make(N), series[..., :95]), whole[:, :95])
    other = series.copy()
    other[..., 95:] *= 7
    np.testing.assert_array_equal(scores_of(make(N), other)[:, :95], whole[:, :95])
    bank = make(N)
    scores_of(bank, series[..., :95])
    once = bank.score(series[..., 95])
    np.testing.assert_array_equal(bank.score(series[..., 95]), once)


@every
def test_a_series_gets_the_same_scores_alone_as_among_others(make: Make) -> None:
    series = shaped(make, noisy())
    series[1, ..., 50:70] = np.nan
    together = scores_of(make(N), series)
    for row in range(N):
        one = Single(make(1))
        for t in range(LENGTH):
            x = series[row, ..., t]
            np.testing.assert_allclose(one.score_one(x), together[row, t], rtol=1e-4, atol=1e-6)
            one.learn_one(x)


@every
def test_it_begins_with_nothing_to_say_and_then_always_says_something_bounded(make: Make) -> None:
    told = scores_of(make(N), shaped(make, noisy()))
    assert np.isnan(told[:, :5]).all()
    assert np.isfinite(told[:, 80:]).all()
    assert (told[:, 80:] >= 0).all()
    assert (told[:, 80:] <= SCORE_MAX).all()


@every
@pytest.mark.parametrize("level", [0.0, 0.1, -8e6])
def test_a_flat_series_scores_nothing_while_it_stays_flat(make: Make, level: float) -> None:
    flat = np.full((2, 100), level)
    told = scores_of(make(2), np.stack((flat,) * METRICS, axis=1) if isinstance(make(1), JointPca) else flat)
    assert (told[:, 80:] == 0).all()


@every
@pytest.mark.parametrize("level", [0.0, 50.0])
def test_a_flat_series_that_moves_at_last_is_far_out_but_finite(make: Make, level: float) -> None:
    flat = np.full((1, 110), level)
    flat[0, 100] = level + 500
    series = shaped(make, flat)
    if isinstance(make(1), JointPca):  # together with the others it would be no news
        series[:, 0] = level
    told = scores_of(make(1), series)
    assert 1 < told[0, 100] <= SCORE_MAX
    assert np.isfinite(told[0, 100:]).all()


@every
@pytest.mark.parametrize("hole", [np.nan, -np.inf, 1e39, -1e20])
def test_a_gap_has_no_score_and_spreads_to_nothing(make: Make, hole: float) -> None:
    series = shaped(make, noisy())
    series[0, ..., 85:92] = hole
    told = scores_of(make(N), series)
    assert np.isnan(told[0, 85:92]).all()
    assert np.isfinite(told[0, 92:]).all()
    assert np.isfinite(told[1:, 80:]).all()


@every
def test_scores_do_not_depend_on_the_unit(make: Make) -> None:
    assert make(1).scale_free
    series = shaped(make, noisy())
    told, scaled = scores_of(make(N), series), scores_of(make(N), series * 2.0**10)
    np.testing.assert_allclose(scaled, told, rtol=1e-3, atol=1e-3)


@every
def test_memory_is_bounded_and_allocated_with_the_slots(make: Make) -> None:
    bank = make(N)
    before = bank.nbytes
    scores_of(bank, shaped(make, noisy()))
    assert bank.nbytes == before
    assert before / N < 5200
    bank.grow(2 * N)
    assert bank.nbytes == 2 * before


@every
def test_a_slot_that_was_reset_or_added_is_as_new_and_the_others_go_on(make: Make) -> None:
    series, later = shaped(make, noisy(1)), shaped(make, noisy(2))
    bank, twin = make(N), make(N)
    scores_of(bank, series)
    scores_of(twin, series)
    bank.reset(np.asarray([1]))
    bank.grow(N + 1)
    told = scores_of(bank, np.concatenate((later, later[1:2])))
    fresh, kept = scores_of(make(N), later), scores_of(twin, later)
    np.testing.assert_allclose(told[1], fresh[1], rtol=1e-5)
    np.testing.assert_allclose(told[3], fresh[1], rtol=1e-5)
    np.testing.assert_allclose(told[[0, 2]], kept[[0, 2]], rtol=1e-5)


@every
def test_an_outlier_stands_out_from_all_that_came_before(make: Make) -> None:
    series = shaped(make, noisy())
    told = scores_of(make(N), series)
    struck = series.copy()
    if struck.ndim == 3:
        struck[:, 0, -1] *= 4
    else:
        struck[:, -6:] *= 4
    hit = scores_of(make(N), struck)[:, -6:].max(axis=1)  # a forecast is surprised once, a sum of evidence later
    assert (hit > 2 * np.nanmedian(told[:, 80:], axis=1)).all()
    assert (hit > told[:, -6:].max(axis=1)).all()
