"""The stated false-alarm rate: on series that go on as they were, alarms come hardly more often than stated."""

import numpy as np
import pytest

from foregate.predict.detectors import Fused
from foregate.predict.detectors.slots import Floats
from foregate.predict.detectors.tail import Tail

N, LENGTH, BEGIN = 400, 900, 300


def null(kind: str) -> Floats:
    rng = np.random.default_rng(8)
    if kind == "exponential":
        return rng.exponential(size=(N, LENGTH))
    if kind == "normal":
        return np.abs(rng.standard_normal((N, LENGTH)))
    noise = rng.standard_normal((N, LENGTH))
    for t in range(1, LENGTH):
        noise[:, t] += 0.6 * noise[:, t - 1]
    return np.log1p(np.abs(noise))


@pytest.mark.parametrize("kind", ["exponential", "normal", "correlated"])
def test_the_realised_rate_is_near_the_stated_one_and_below_it_where_tails_are_light(kind: str) -> None:
    scores, tail = null(kind), Tail(N, keep=256, stride_max=64)
    p = np.full((N, LENGTH), np.nan)
    for t in range(LENGTH):
        if t >= BEGIN:
            p[:, t] = tail.p_values(scores[:, t])
        tail.learn(scores[:, t])
    told = p[:, BEGIN:]
    for stated, low, high in ((0.05, 0.8, 1.3), (1 / 24, 0.8, 1.3), (1 / 1440, 0.05, 1.5)):
        assert low * stated <= np.mean(told <= stated) <= high * stated


def test_the_default_configuration_alarms_hardly_more_often_than_stated() -> None:
    rng = np.random.default_rng(10)
    fused = Fused(120, 3600.0)
    season = 100 + 20 * np.sin(np.arange(400) * 2 * np.pi / 24)
    series = season + rng.normal(0, 5, (120, 400))
    p = np.full(series.shape, np.nan)
    for t in range(400):
        p[:, t] = fused.step(series[:, t]).p
    alarms = p[:, 200:] <= fused.alarm_p(1.0)
    per_day = 24 * np.mean(alarms)
    onsets = 24 * np.mean(alarms[:, 1:] & ~alarms[:, :-1])
    assert 0.05 < onsets <= per_day < 1.5


def test_few_past_scores_give_careful_p_values() -> None:
    rng, scarce, ample = np.random.default_rng(9), Tail(N, 256, 64), Tail(N, 256, 64)
    for t in range(256):
        scores = rng.exponential(size=N)
        ample.learn(scores)
        if t < 40:
            scarce.learn(scores)
    far = np.full(N, 8.0)
    assert np.median(scarce.p_values(far)) > 2 * np.median(ample.p_values(far))
    assert np.isnan(Tail(N, 256, 64).p_values(far)).all()


def test_the_sample_of_a_long_past_is_spread_over_it_and_forgets_the_oldest() -> None:
    tail = Tail(1, keep=64, stride_max=8)
    for t in range(2000):
        tail.learn(np.asarray([float(t)]))
    kept = np.sort(tail.sample.kept[0])
    assert len(kept) == 64
    assert kept[0] > 1000
    assert kept[-1] > 1950
    assert np.diff(kept).max() < 60
    assert len(set((kept % 24).tolist())) > 12  # no hour of the day is left out
