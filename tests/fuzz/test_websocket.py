"""Mutated WebSocket frames through the real relay: no crash, and what is passed on is well-formed."""

import pytest
from tests.fuzz import websocket
from tests.fuzz.__main__ import SEED
from tests.fuzz.judge import Finding

from foregate.websocket import FrameReader

CASES = 1_000


def test_mutated_frames_are_passed_on_well_formed_or_not_at_all() -> None:
    outcomes = [websocket.case(seed) for seed in range(SEED, SEED + CASES)]
    assert sum(messages for _, messages, _ in outcomes) > 3 * CASES  # neither hopeless
    assert CASES // 4 < sum(refused for _, _, refused in outcomes) < CASES  # nor tame


def test_the_judge_notices_a_reader_that_lets_a_bad_frame_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrameReader, "feed", lambda self, data: data)

    def hundred() -> None:
        for seed in range(SEED, SEED + 100):
            websocket.case(seed)

    with pytest.raises(Finding):
        hundred()
