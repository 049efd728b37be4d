"""Shares by tables: what XGBoost's own TreeSHAP says, for any trees, or none at all."""

import numpy as np
import pytest
import xgboost

from foregate.predict.models.shares import Shares

FEATURES = 9


def rows_of(seed: int, n: int = 300) -> np.ndarray:
    """Few values, so that many rows lie on a split; a tenth is missing."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-3, 4, (n, FEATURES)).astype(np.float32) / 2
    rows[rng.random(rows.shape) < 0.1] = np.nan
    return rows


def grown(seed: int, depth: int, trees: int = 12, **more: object) -> xgboost.Booster:
    """A booster of a made rule with features that take part together."""
    rows = rows_of(seed)
    known = np.nan_to_num(rows)
    labels = (known[:, 0] * known[:, 1] + known[:, 2] - np.isnan(rows[:, 3]) > 0.2).astype(float)
    settings = {"objective": "binary:logistic", "max_depth": depth, "eta": 0.4, "seed": seed, "nthread": 1, **more}
    return xgboost.train(settings, xgboost.DMatrix(rows, labels), num_boost_round=trees)


@pytest.mark.parametrize(("seed", "depth"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 5)])
def test_they_are_those_of_xgboost_for_rows_it_has_never_seen(seed: int, depth: int) -> None:
    booster = grown(seed, depth)
    tables = Shares.of(booster, FEATURES)
    assert tables is not None
    rows = np.concatenate((rows_of(seed + 50), np.full((1, FEATURES), np.nan, dtype=np.float32)))
    told = booster.predict(xgboost.DMatrix(rows), pred_contribs=True)
    shares = tables.explain(rows)
    assert np.abs(shares - told).max() < 1e-5
    assert np.abs(shares.sum(axis=1) - booster.predict(xgboost.DMatrix(rows), output_margin=True)).max() < 1e-5
    assert tables.explain(rows[:0]).shape == (0, FEATURES + 1)


def test_a_tree_without_a_split_has_only_a_bias() -> None:
    booster = grown(1, 3, gamma=1e9)
    tables = Shares.of(booster, FEATURES)
    assert tables is not None
    shares = tables.explain(rows_of(2))
    assert not shares[:, :-1].any()
    assert np.allclose(shares[:, -1], booster.predict(xgboost.DMatrix(rows_of(2)), output_margin=True))


@pytest.mark.parametrize("more", [{"max_depth": 6}, {"booster": "dart"}])
def test_trees_that_do_not_fit_have_none(more: dict[str, object]) -> None:
    assert Shares.of(grown(1, 6, **more), FEATURES) is None
