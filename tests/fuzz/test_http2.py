"""Mutated frames of HTTP/2 through the whole gateway: no crash, no hang, no leak."""

import pytest
from tests.fuzz import http2
from tests.fuzz.__main__ import SEED
from tests.fuzz.http2_frames import DATA, HEADERS, Frame

CASES = 3_000


@pytest.mark.parametrize("part", range(2))
def test_mutated_frames_neither_break_the_gateway_nor_reach_an_upstream_as_anything_but_requests(part: int) -> None:
    size, before = CASES // 2, http2.alive()
    outcomes = [http2.case(seed) for seed in range(SEED + part * size, SEED + part * size + size)]
    assert sum(outcome.refused for outcome in outcomes) > size // 4  # neither tame
    assert sum(outcome.reached for outcome in outcomes) > size // 2  # nor hopeless
    assert http2.alive() <= before + 1  # that of the last case


@pytest.mark.parametrize("seed", [50_266_846, 50_454_495])
def test_a_client_that_resets_and_leaves_in_one_piece_is_let_go(seed: int) -> None:
    """Both were found by ten million frames: a stream gave its window back to a session that had ended."""
    http2.case(seed)


def test_the_judge_notices_what_an_engine_must_not_say() -> None:
    with pytest.raises(AssertionError, match="before its head"):
        http2._read(Frame(DATA, 0, 1, b"x").encoded())
    with pytest.raises(AssertionError, match="after the end"):
        http2._read(2 * Frame(HEADERS, 0x5, 1, b"\x88").encoded())
    with pytest.raises(AssertionError, match="cut off"):
        http2._read(Frame(DATA, 0, 1, b"xyz").encoded()[:-1])


def test_the_rig_notices_a_request_that_is_never_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2.Http2Rig, "_serve", lambda self, exchange: None)
    with pytest.raises(http2.Finding, match="hangs"):
        [http2.case(seed) for seed in range(SEED, SEED + 50)]
