"""Zero train/serve skew: what is learned from a recording is what is computed live, minute by minute, to the bit."""

import numpy as np
from tests.predict.making import T0

from foregate.predict.evaluate.system import COLUMN, System
from foregate.predict.features import FEATURE_NAMES, matrix
from foregate.predict.moments import LAGGED, Recorded, live_frame
from foregate.predict.panel import Panel
from foregate.predict.usual import LATENCIES
from foregate.wire.entity import Entity
from foregate.wire.minutes import COLUMNS, COUNTED

ENTITIES = tuple(Entity("o", f"s{i // 2}", f"/{i}", "e") for i in range(5))
CALLS = frozenset({("s0", "s1"), ("s1", "s2")})
MINUTES = 1_700  # more than a day, so that yesterday counts


def recorded(seed: int = 7) -> System:
    """Minutes with gaps, a late arrival, a quiet entity and failing ones."""
    rng = np.random.default_rng(seed)
    minutes = np.full((len(ENTITIES), len(COLUMNS), MINUTES), np.nan, dtype=np.float32)
    requests = rng.poisson([[3], [9], [40], [100], [200]], (len(ENTITIES), MINUTES))
    for name, column in COLUMN.items():
        if column in LATENCIES:
            minutes[:, column] = rng.lognormal(3, 0.3, requests.shape)
        elif name in ("requests", "errors"):
            minutes[:, column] = requests if name == "requests" else rng.binomial(requests, 0.02)
        else:
            minutes[:, column] = rng.random(requests.shape)
    minutes[2, :, 300:420] = np.nan
    minutes[3, :, :500] = np.nan
    minutes[4, COLUMN["errors"], 600:610] = 100
    minutes[0][:, rng.random(MINUTES) < 0.2] = np.nan
    return System("made", T0, ENTITIES, minutes, CALLS)


def live(system: System, at: set[int], silent: bool = False) -> dict[int, np.ndarray]:
    """What the analyst computes at the end of these minutes. `silent`: of minutes without traffic it hears nothing."""
    panel, found = Panel(), {}
    calls = {("o", "e", a, b) for a, b in system.calls}
    for j in range(system.minutes.shape[2]):
        start_s = system.start_s + 60 * j
        if j in at and all(entity in panel for entity in ENTITIES):
            now = system.minutes[:, :, j].copy()
            now[:, LAGGED] = np.nan  # what stands beside the windows is not read yet
            found[j] = matrix(live_frame(panel, ENTITIES, start_s + 60, now, calls))
        here = ~np.isnan(system.minutes[:, 0, j])
        if silent:
            here &= system.minutes[:, 0, j] > 0
        rows = {ENTITIES[i]: system.minutes[i, :, j] for i in np.flatnonzero(here)}
        panel.learn(start_s, rows)
        if silent:
            panel.fall_silent(start_s, rows)
        panel.renew(start_s + 60)
    return found


def test_the_features_of_a_recording_are_those_of_live_judgement() -> None:
    system = recorded()
    at = np.unique(np.r_[505:530, 605:625, np.random.default_rng(1).integers(530, MINUTES, 60), MINUTES - 1])
    rows = Recorded(system).rows(at)
    served = live(system, set(at.tolist()))
    assert len(served) > 90
    for j, values in served.items():
        learned = rows[:, at.tolist().index(j)]
        same = np.isclose(values, learned, rtol=1e-5, atol=1e-6, equal_nan=True)
        assert same.all(), (j, [FEATURE_NAMES[f] for f in np.unique(np.nonzero(~same)[1])])
    known = ~np.isnan(np.stack(list(served.values()))).all(axis=(0, 1))
    assert known.all(), [name for name, k in zip(FEATURE_NAMES, known, strict=True) if not k]


def test_a_minute_in_which_nobody_asked_is_live_what_it_is_in_a_recording() -> None:
    """There is no window of it: that others of the organisation were asked says that this one was not."""
    system = recorded()
    idle = np.isnan(system.minutes[:, :1]) | (system.minutes[:, :1] == 0)
    idle[3, :, :500] = False  # it was not there yet
    silent = np.where(idle, np.float32(np.nan), system.minutes)
    for name in COUNTED:
        silent[:, COLUMN[name]][idle[:, 0]] = 0
    system = System("silent", T0, ENTITIES, silent, CALLS)
    at = np.random.default_rng(2).integers(530, MINUTES, 40)
    rows, served = Recorded(system).rows(at), live(system, set(at.tolist()), silent=True)
    for j, values in served.items():
        learned = rows[:, at.tolist().index(j)]
        same = np.isclose(values, learned, rtol=1e-5, atol=1e-6, equal_nan=True)
        assert same.all(), (j, [FEATURE_NAMES[f] for f in np.unique(np.nonzero(~same)[1])])


def test_no_feature_of_a_recording_knows_what_comes_later() -> None:
    system, at = recorded(), np.arange(1_400, 1_500, 7)
    cut = System("cut", system.start_s, ENTITIES, system.minutes[:, :, :1_500], CALLS)
    other = system.minutes.copy()
    other[:, :, 1_500:] = 9e4
    for changed in (cut, System("other", system.start_s, ENTITIES, other, CALLS)):
        assert np.array_equal(Recorded(system).rows(at), Recorded(changed).rows(at), equal_nan=True)


def test_a_feature_of_the_future_would_be_caught() -> None:
    """The test above can fail: one minute more of the past changes what is seen."""
    system = recorded()
    later = np.roll(system.minutes, -1, axis=2)
    ahead = Recorded(System("ahead", system.start_s, ENTITIES, later, CALLS))
    at = np.array([1_450])
    assert not np.array_equal(Recorded(system).rows(at), ahead.rows(at), equal_nan=True)
