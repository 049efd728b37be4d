import time
from pathlib import Path

import pytest
from bench.compare import broken, lines, ratio
from bench.process import start
from bench.wrk import Round, read

WRK = """Running 1s test @ http://127.0.0.1:1/x
  Latency Distribution
     50%    1.43ms
     99%  934.00us
  5000 requests in 2.50s, 1.00MB read
  Socket errors: connect 0, read 2, write 0, timeout 1
  Non-2xx or 3xx responses: 7
"""


def round_of(cpu_us: float, bad: int = 0) -> Round:
    return Round(1_000, 1.0, 1.0, 2.0, cpu_us * 1_000 / 1e6, bad)


def test_a_ratio_compares_each_round_with_the_same_round_of_the_other() -> None:
    # The machine was twice as slow in the second round, for both.
    table = {
        "mine": [round_of(30.0), round_of(60.0), round_of(33.0)],
        "other": [round_of(20.0), round_of(40.0), round_of(20.0)],
    }
    found = ratio(table, "mine", "other")
    assert found is not None
    assert (round(found.median, 6), round(found.low, 6), round(found.high, 6)) == (1.5, 1.5, 1.65)


def test_who_did_not_run_has_no_ratio() -> None:
    assert ratio({"mine": [round_of(1.0)]}, "mine", "other") is None


def test_a_row_with_bad_answers_is_named_as_broken() -> None:
    assert broken({"paced": {"a": [round_of(1.0)], "b": [round_of(1.0, bad=3)]}}) == [
        "paced: b gave 3 answers that were not 2xx or broke off"
    ]


def test_the_table_shows_every_contestant_and_the_ratio() -> None:
    text = "\n".join(lines("paced", {"mine": [round_of(30.0)], "nginx": [round_of(20.0)]}, {}, "mine", ["nginx", "go"]))
    assert "mine costs 1.50 [1.50–1.50] × nginx" in text
    assert "go" not in text


def test_what_wrk_prints_is_read_with_its_units_and_errors() -> None:
    found = read(WRK, 0.25)
    assert (found.requests, found.seconds, found.p50_ms, found.p99_ms) == (5_000, 2.5, 1.43, 0.934)
    assert found.bad == 7 + 3
    assert found.cpu_us == pytest.approx(50.0)


def test_what_is_no_report_of_wrk_is_refused() -> None:
    with pytest.raises(RuntimeError, match="unable to connect"):
        read("unable to connect", 0.0)


def test_companions_count_and_are_named_apart(tmp_path: Path) -> None:
    busy = ["python3", "-c", "while True: pass"]
    one, two = start("one", busy, None, tmp_path), start("two", busy, None, tmp_path)
    one.companions.append(two)
    try:
        until_s = time.monotonic() + 20.0
        while two.cpu_s() < 0.1 and time.monotonic() < until_s:
            time.sleep(0.05)
        own_s, all_s = one.own_cpu_s(), one.cpu_s()
        assert all_s > own_s + 0.05
    finally:
        one.stop()
    assert two.process.poll() is not None
