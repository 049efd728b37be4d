"""Every line is read or named, and a file that holds nothing is refused with a sentence."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from tests.predict.evaluate.checks.history import HEADER, T0, line, loaded

from foregate.predict.evaluate.checks.load import SENTENCES_MAX, ChecksError, load, parse


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ("s,e,2025-06-15 00:00:00+00:00,broken,200,3", "line 3: state 'broken' is none of up, degraded, down"),
        ("s,e,yesterday,up,200,3", "line 3: Invalid isoformat string: 'yesterday'"),
        ("s,e,2025-06-15 00:00:00+00:00,up,200", "line 3: 5 columns, not enough"),
        ("s,e,2025-06-15 00:00:00+00:00,up,ok,3", "line 3: status 'ok' is no HTTP status (0 means no answer)"),
        ("s,e,2025-06-15 00:00:00+00:00,up,200,nan", "line 3: latency_ms 'nan' is no latency"),
        (",e,2025-06-15 00:00:00+00:00,up,200,3", "line 3: source or endpoint is empty"),
    ],
)
def test_a_bad_line_is_left_out_with_a_sentence_that_names_it(bad: str, sentence: str) -> None:
    found = loaded(line("s", "e", T0), bad, line("s", "e", T0 + 60))
    assert (found.rows, found.skipped, found.sentences) == (3, 1, (sentence,))
    assert len(found.histories[0].time_s) == 2


def test_only_the_first_bad_lines_are_named_and_all_are_counted() -> None:
    found = loaded(line("s", "e", T0), *["x"] * 50)
    assert found.skipped == 50
    assert len(found.sentences) == SENTENCES_MAX


def test_records_are_put_in_order_and_of_one_time_the_last_line_holds() -> None:
    lines = [line("s", "e", T0 + 60, "down"), line("s", "e", T0, "up"), line("s", "e", T0 + 60, "up")]
    (found,) = loaded(*lines).histories
    assert found.time_s.tolist() == [T0, T0 + 60]
    assert not found.down.any()


def test_a_degraded_endpoint_is_up_and_what_gave_no_answer_has_no_latency() -> None:
    (found,) = loaded(line("s", "e", T0, "degraded"), line("s", "e", T0 + 60, "down")).histories
    assert found.down.tolist() == [False, True]
    assert np.isnan(found.latency_ms).tolist() == [False, True]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([], "the first line must name the columns"),
        (["source,endpoint,time,state"], "status, latency_ms missing"),
        ([HEADER], "it is empty"),
        ([HEADER, "x"], "line 2: 1 columns, not enough"),
    ],
)
def test_a_file_without_a_check_is_refused(lines: list[str], sentence: str) -> None:
    with pytest.raises(ChecksError, match=sentence):
        parse(lines)


def test_gzip_is_read_and_a_broken_one_refused(tmp_path: Path) -> None:
    packed = gzip.compress(f"{HEADER}\n{line('s', 'e', T0)}\n".encode())
    whole, broken = tmp_path / "whole.csv.gz", tmp_path / "broken.csv.gz"
    whole.write_bytes(packed)
    broken.write_bytes(packed[:-9])
    assert len(load(whole).histories) == 1
    damaged = bytearray(gzip.compress(np.random.default_rng(1).bytes(3_000).hex().encode()))
    damaged[500:520] = bytes(20)
    (tmp_path / "damaged.csv.gz").write_bytes(damaged)
    for file in (broken, tmp_path / "damaged.csv.gz", tmp_path / "absent.csv"):
        with pytest.raises(ChecksError, match="cannot be read"):
            load(file)
