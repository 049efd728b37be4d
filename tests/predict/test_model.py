"""The model file: what is damaged, foreign or of other features is refused with a sentence; SHAP is exact."""

import hashlib
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.predict.making import PAY, T0, Shape, frame_of, minutes, panel_of, tick, toy_content, toy_model

from foregate.predict import ModelError, load_model
from foregate.predict.explain import contributions, reasons
from foregate.predict.features import FEATURE_NAMES, FEATURE_VERSION, matrix
from foregate.predict.models.calibration import Calibration, fit_platt, sigmoid
from foregate.predict.models.model import decode_model

CONTENT = toy_content()


def test_a_saved_model_loads_and_scores_the_same(tmp_path: Path) -> None:
    path = tmp_path / "m.fgm"
    path.write_bytes(CONTENT)
    rows = np.random.default_rng(3).uniform(0, 6, (20, len(FEATURE_NAMES)))
    loaded, direct = load_model(path), decode_model(CONTENT)
    assert loaded.version == direct.version == f"{FEATURE_VERSION}-{CONTENT.split(b':')[1][:12].decode()}"
    assert (loaded.score(rows).probability == direct.score(rows).probability).all()
    assert loaded.score(rows).probability == pytest.approx(loaded.probabilities(rows))


def test_contributions_sum_to_the_log_odds_of_the_score_that_is_shown() -> None:
    rows = np.random.default_rng(4).uniform(0, 6, (50, len(FEATURE_NAMES)))
    scored = decode_model(toy_content(calibration=Calibration(0.7, -0.4))).score(rows)
    assert scored.shap.shape == (50, len(FEATURE_NAMES) + 1)
    log_odds = np.log(scored.probability / (1 - scored.probability))[:, 1]
    assert scored.shap.sum(axis=1) == pytest.approx(log_odds, abs=1e-4)


def test_a_certificate_that_ends_within_the_horizon_is_foretold_whatever_was_learned() -> None:
    model = toy_model()
    rows = np.full((4, len(FEATURE_NAMES)), np.nan, dtype=np.float32)
    rows[:, FEATURE_NAMES.index("p95_ratio")] = 1.0
    left = FEATURE_NAMES.index("certificate_left_min")
    rows[:, left] = np.nan, 0.0, 10.0, 40.0  # not known, ended already, within 15 minutes, within an hour
    scored = model.score(rows)
    learned = model.score(rows[:1]).probability[0]
    assert scored.probability[:2].tolist() == [learned.tolist()] * 2
    assert scored.probability[2].tolist() == pytest.approx([learned[0], 0.95, 0.95])
    assert scored.probability[3].tolist() == pytest.approx([*learned[:2], 0.95])
    log_odds = np.log(scored.probability[:, 1] / (1 - scored.probability[:, 1]))
    assert scored.shap.sum(axis=1) == pytest.approx(log_odds)  # the shares are still exact
    assert int(np.argmax(scored.shap[2, :-1])) == left


def test_beyond_the_bound_the_highest_scores_are_explained() -> None:
    rows = np.random.default_rng(6).uniform(0, 6, (40, len(FEATURE_NAMES)))
    scored = toy_model().score(rows, explain_max=10)
    assert len(scored.shap) == len(scored.explained) == 10
    rest = np.setdiff1d(np.arange(40), scored.explained)
    probability = scored.probability[:, 1]
    assert probability[scored.explained].min() >= probability[rest].max()
    log_odds = np.log(probability / (1 - probability))[scored.explained]
    assert scored.shap.sum(axis=1) == pytest.approx(log_odds, abs=1e-4)


@settings(max_examples=80, deadline=None)
@given(at=st.integers(0, len(CONTENT) - 1), flip=st.integers(1, 255))
def test_a_file_with_any_byte_changed_is_refused(at: int, flip: int) -> None:
    damaged = bytearray(CONTENT)
    damaged[at] ^= flip
    with pytest.raises(ModelError):
        decode_model(bytes(damaged))


@pytest.mark.parametrize("cut", [0, 1, 50, 88, 200, len(CONTENT) - 1])
def test_a_truncated_file_is_refused(cut: int) -> None:
    with pytest.raises(ModelError):
        decode_model(CONTENT[:cut])


def signed(body: bytes) -> bytes:
    return b"foregate-model 2 sha256:" + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def test_a_rightly_signed_file_without_a_booster_is_refused() -> None:
    header = CONTENT.split(b"\n", 2)[1]
    with pytest.raises(ModelError, match="no readable booster"):
        decode_model(signed(header + b"\n" + b"x" * (len(CONTENT.split(b"\n", 2)[2]))))


def test_a_rightly_signed_file_of_other_boosters_than_its_header_names_is_refused() -> None:
    with pytest.raises(ModelError, match="boosters that its header names"):
        decode_model(signed(CONTENT.split(b"\n", 1)[1] + b"x"))


def test_thresholds_that_do_not_fall_as_false_alarms_rise_are_refused() -> None:
    with pytest.raises(ModelError, match="thresholds"):
        decode_model(toy_content(curve=((0.5, 0.5), (2.0, 0.8))))


def test_a_model_of_an_earlier_foregate_is_refused_and_says_what_to_do() -> None:
    with pytest.raises(ModelError, match="foregate predict train"):
        decode_model(CONTENT.replace(b"foregate-model 2", b"foregate-model 1", 1))


def test_what_fails_within_five_minutes_fails_within_an_hour() -> None:
    rows = np.random.default_rng(8).uniform(0, 6, (50, len(FEATURE_NAMES)))
    assert (np.diff(toy_model().probabilities(rows), axis=1) >= 0).all()


def test_a_rightly_signed_file_with_a_strange_header_is_refused() -> None:
    with pytest.raises(ModelError, match="unreadable header"):
        decode_model(signed(b'{"features": 7}\nxx'))


def test_a_model_of_another_feature_version_is_refused_and_says_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"feature version 0-old.*foregate predict train"):
        decode_model(toy_content(feature_version="0-old"), "old.fgm")


def test_a_missing_and_an_enormous_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(tmp_path / "none.fgm")
    big = tmp_path / "big.fgm"
    with big.open("wb") as file:
        file.truncate(17_000_000)
    with pytest.raises(ModelError, match="larger than"):
        load_model(big)


def test_reasons_are_sentences_with_the_values_that_raised_the_score() -> None:
    growing = Shape(p50_ms=lambda m: 50.0 * (1 + 0.5 * max(0.0, m - 12)))
    past = minutes(20, Shape(), random.Random(1)) + minutes(5, growing, start_s=T0 + 1200)
    frame = frame_of(tick(T0 + 1500, growing), panel_of(past))
    rows = matrix(frame)
    why = contributions(frame, 0, toy_model().score(rows).shap[0], rows[0])
    assert why[0].feature == "p95_ratio"
    assert why[0].shap > 0
    first = reasons(why)[0]
    assert "p95 latency is" in first
    assert "× its usual 15" in first
    assert "has grown for" in first


def test_at_most_one_contribution_per_topic_strongest_first_and_none_about_what_is_not_known() -> None:
    frame = frame_of(tick(T0 + 1200, Shape()), panel_of(minutes(20, Shape())))
    shap, rows = np.random.default_rng(1).normal(size=len(FEATURE_NAMES) + 1), matrix(frame)
    assert np.isnan(rows).any()
    why = contributions(frame, 0, shap, rows[0])
    assert len(why) == 5
    shares = [abs(c.shap) for c in why]
    assert shares == sorted(shares, reverse=True)
    assert not any(np.isnan(c.value) for c in why)
    assert set(reasons(why)) <= {c.sentence for c in why if c.shap > 0}
    assert PAY.service not in " ".join(c.sentence for c in why)


def test_calibration_finds_the_true_probabilities() -> None:
    rng = np.random.default_rng(5)
    margins = rng.normal(size=60_000) * 2
    truth = 1 / (1 + np.exp(-(0.5 * margins - 1)))  # the margins are twice too sure of themselves, and shifted
    found = fit_platt(margins, (rng.random(60_000) < truth).astype(float))
    assert (found.scale, found.shift) == pytest.approx((0.5, -1.0), abs=0.03)


def test_calibration_of_separable_margins_stays_finite_and_of_none_is_refused() -> None:
    margins = np.linspace(-3, 3, 100)
    assert fit_platt(margins, (margins > 0).astype(float)).valid()
    with pytest.raises(ValueError, match="nothing to calibrate"):
        fit_platt(margins, (margins < 0).astype(float))


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 3), st.floats(-5, 5), st.lists(st.floats(-12, 12), min_size=2, max_size=50))
def test_a_calibrated_score_is_a_probability_that_rises_with_the_margin(
    scale: float, shift: float, margins: list[float]
) -> None:
    scores = sigmoid(Calibration(scale, shift).log_odds(np.sort(margins)))
    assert (np.diff(scores) >= 0).all()
    assert scores.min() >= 0
    assert scores.max() <= 1


@pytest.mark.parametrize(("scale", "shift"), [(0.0, 1.0), (-1.0, 0.0), (float("nan"), 0.0), (1.0, float("inf"))])
def test_a_calibration_that_does_not_rise_is_not_valid(scale: float, shift: float) -> None:
    assert not Calibration(scale, shift).valid()


def test_who_judges_does_not_load_what_only_training_needs() -> None:
    """Where it is installed, XGBoost would import it: most of a second, and 60 MB, of every start."""
    code = "import sys, foregate.app.roles.analyzer; print([m for m in sys.modules if m.split('.')[0] == 'sklearn'])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
