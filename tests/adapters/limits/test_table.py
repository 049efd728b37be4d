"""The table's file: bounded, carried over when its shape changes, made anew when it is damaged."""

import errno
import functools
import os
import resource
from pathlib import Path

import pytest

from foregate.adapters.embedded.limits import EmbeddedLimits
from foregate.adapters.embedded.limits import open_limits as open_at
from foregate.adapters.embedded.limits import store as module
from foregate.adapters.embedded.limits.table import CELLS, PROBES
from foregate.ports.limits import (
    CalendarWindow,
    Charge,
    Concurrency,
    FixedWindow,
    LeakyBucket,
    SlidingWindow,
    TokenBucket,
)

WALL_S = 1_700_000_000.0  # at the monotonic clock's NOW_S
NOW_S = 5.0
QUOTA = CalendarWindow(100.0, "month")
ONCE = TokenBucket(0.001, 100.0)
BOOT = b"b" * 16


open_limits = functools.partial(open_at, now_s=NOW_S, wall_s=WALL_S)


def left(store: EmbeddedLimits, rule: object, subject: bytes = b"x", later_s: float = 0.0) -> float:
    """What is left after one more."""
    return store.take_one(rule, subject, NOW_S + later_s, WALL_S + later_s).remaining[0]  # type: ignore[arg-type]


def test_what_is_used_outlives_a_restart(tmp_path: Path) -> None:
    for expected in (99.0, 98.0, 97.0):
        store = open_limits(tmp_path / "l.bin", 2, 0, boot=BOOT)
        assert left(store, QUOTA) == expected
        assert left(store, ONCE) == pytest.approx(expected)
        store.sync()
        store.close()


@pytest.mark.parametrize(("workers", "capacity"), [(1, 1024), (4, 1024), (2, 256)])
def test_another_shape_carries_the_sums_over_but_no_slots(tmp_path: Path, workers: int, capacity: int) -> None:
    rules = [QUOTA, ONCE, FixedWindow(100.0, 64.0), SlidingWindow(100.0, 64.0), LeakyBucket(0.001, 99.0, 1e9)]
    stores = [open_limits(tmp_path / "l.bin", 2, worker, capacity=1024, boot=BOOT) for worker in range(2)]
    for store in stores:
        for rule in rules:
            left(store, rule)
        left(store, Concurrency(100.0))
        store.close()
    store = open_limits(tmp_path / "l.bin", workers, workers - 1, capacity=capacity, boot=BOOT)
    assert [left(store, rule) for rule in rules] == pytest.approx([97.0] * 5)
    assert left(store, Concurrency(100.0)) == 99.0
    store.close()


def test_a_flood_of_one_limits_subjects_resets_none_of_another(tmp_path: Path) -> None:
    store = open_limits(tmp_path / "l.bin", 1, 0, capacity=1024, boot=BOOT)
    quick = TokenBucket(1.0, 100.0)  # would expire long before what floods
    for number in range(300):
        left(store, quick, b"calm\0%d" % number)
    for number in range(20_000):
        left(store, QUOTA, b"flooded\0%d" % number)
    assert store.stats().evicted > 15_000
    kept = sum(left(store, quick, b"calm\0%d" % number) == 98.0 for number in range(300))
    assert kept == 300
    store.close()


def test_after_a_boot_only_quotas_are_kept(tmp_path: Path) -> None:
    for boot, expected in ((BOOT, 99.0), (b"c" * 16, 98.0)):
        store = open_limits(tmp_path / "l.bin", 1, 0, boot=boot)
        assert left(store, QUOTA) == expected
        assert left(store, ONCE) == 99.0
        store.close()


def test_a_full_table_takes_expired_places_first_and_then_the_one_that_would_expire_first(tmp_path: Path) -> None:
    store = open_limits(tmp_path / "l.bin", 1, 0, capacity=PROBES, boot=BOOT)
    quick = TokenBucket(1.0, 100.0)
    for number in range(PROBES):
        left(store, QUOTA if number else quick, b"%d" % number)
    assert (store.stats().entries, store.stats().evicted) == (PROBES, 0)
    left(store, QUOTA, b"evicts")
    assert store.stats().evicted == 1
    assert [left(store, QUOTA, b"%d" % number) for number in range(1, PROBES)] == [98.0] * (PROBES - 1)
    assert left(store, quick, b"0") == 99.0  # it was the first to go, and begins anew
    assert store.stats().evicted == 2
    assert [left(store, QUOTA, b"new%d" % number, 1e9) for number in range(PROBES)] == [99.0] * PROBES
    assert store.stats().evicted == 2
    store.close()


def test_a_worker_notices_that_another_has_evicted_what_it_remembers(tmp_path: Path) -> None:
    one, other = (open_limits(tmp_path / "l.bin", 2, worker, capacity=PROBES, boot=BOOT) for worker in range(2))
    held = Charge(Concurrency(5.0), b"slots")
    assert one.take([held], 5.0, WALL_S).allowed
    left(one, ONCE, b"mine")
    for number in range(PROBES):
        left(other, QUOTA, b"%d" % number)
    before = [left(other, QUOTA, b"%d" % number) for number in range(PROBES)]
    one.release([held])
    left(one, ONCE, b"mine")
    after = [left(other, QUOTA, b"%d" % number) for number in range(PROBES)]
    assert sum(now not in (was - 1.0, 99.0) for was, now in zip(before, after, strict=True)) == 0
    one.close()
    other.close()


def test_an_unused_subject_lives_as_long_as_it_says_something(tmp_path: Path) -> None:
    store = open_limits(tmp_path / "l.bin", 1, 0, capacity=PROBES, boot=BOOT)
    rule = TokenBucket(0.01, 10.0)  # an hour until it has said all
    for _ in range(10):
        store.take_one(rule, b"x", 5.0, WALL_S)
    for at in range(PROBES * 2):
        left(store, TokenBucket(1.0, 1.0), b"%d" % at, 5.0 * at)
    assert store.stats().evicted == 0
    assert left(store, rule, later_s=600.0) == pytest.approx(5.0)
    store.close()


RULES = [ONCE, FixedWindow(100.0, 64.0), SlidingWindow(100.0, 64.0), LeakyBucket(0.001, 99.0, 1e9), QUOTA]


@pytest.mark.parametrize("jump_s", [400 * 86_400.0, -400 * 86_400.0])
@pytest.mark.parametrize("rule", RULES[:-1], ids=lambda rule: type(rule).__name__)
def test_a_wall_clock_that_is_set_resets_no_limit(tmp_path: Path, rule: object, jump_s: float) -> None:
    store = open_limits(tmp_path / "l.bin", 2, 0, boot=BOOT)
    assert left(store, rule) == pytest.approx(99.0)
    assert store.take_one(rule, b"x", NOW_S, WALL_S + jump_s).remaining[0] == pytest.approx(98.0)  # type: ignore[arg-type]
    late = open_at(tmp_path / "l.bin", 2, 1, boot=BOOT, now_s=NOW_S, wall_s=WALL_S + jump_s)  # a worker restarts
    assert late.take_one(rule, b"x", NOW_S, WALL_S + jump_s).remaining[0] == pytest.approx(97.0)  # type: ignore[arg-type]
    late.close()
    store.close()
    grown = open_at(tmp_path / "l.bin", 3, 0, boot=BOOT, now_s=NOW_S, wall_s=WALL_S + jump_s)
    assert grown.take_one(rule, b"x", NOW_S, WALL_S + jump_s).remaining[0] == pytest.approx(96.0)  # type: ignore[arg-type]
    grown.close()


def test_a_quota_goes_by_the_wall_clock_there_and_back(tmp_path: Path) -> None:
    store = open_limits(tmp_path / "l.bin", 1, 0, boot=BOOT)
    assert [left(store, QUOTA), left(store, QUOTA)] == [99.0, 98.0]
    assert store.take_one(QUOTA, b"x", NOW_S, WALL_S + 40 * 86_400.0).remaining == (99.0,)
    store.close()


def test_after_a_boot_a_quota_expires_by_the_wall_clock(tmp_path: Path) -> None:
    store = open_at(tmp_path / "l.bin", 1, 0, boot=BOOT, now_s=1e7, wall_s=WALL_S)
    store.take_one(QUOTA, b"x", 1e7, WALL_S)
    store.close()
    store = open_at(tmp_path / "l.bin", 1, 0, boot=b"c" * 16, now_s=1.0, wall_s=WALL_S + 60.0)
    assert store.take_one(QUOTA, b"x", 1.0, WALL_S + 60.0).remaining == (98.0,)
    assert store.stats().entries == 1
    store.close()
    store = open_at(tmp_path / "l.bin", 1, 0, boot=b"d" * 16, now_s=1.0, wall_s=WALL_S + 200 * 86_400.0)
    assert store.stats().entries == 0
    store.close()


DAY_S = 86_400.0
BOTH = [CalendarWindow(100.0, "day"), QUOTA]


@pytest.mark.parametrize(
    ("began_s", "slept_s"),
    [(60.0, 0.0), (WALL_S + 4_000 * DAY_S, 0.0), (WALL_S, 9 * DAY_S), (WALL_S, 0.0)],
    ids=["the clock was in 1970 when it began", "or years ahead", "it slept for nine days", "all was well"],
)
@pytest.mark.parametrize("rule", BOTH, ids=["day", "month"])
def test_a_quota_outlives_the_next_boots_whatever_the_clocks_did_before(
    tmp_path: Path, rule: CalendarWindow, began_s: float, slept_s: float
) -> None:
    wall_s = WALL_S + slept_s
    store = open_at(tmp_path / "l.bin", 2, 0, boot=BOOT, now_s=NOW_S, wall_s=began_s)
    store.take_one(rule, b"x", NOW_S + 90.0, wall_s)
    store.close()
    for boot, after in ((b"c", 1.0), (b"d", 2.0)):
        store = open_at(tmp_path / "l.bin", 2, 0, boot=boot * 16, now_s=NOW_S, wall_s=wall_s + after * 600.0)
        assert store.take_one(rule, b"x", NOW_S, wall_s + after * 600.0).remaining == (99.0 - after,)
        store.close()


@pytest.mark.parametrize("rule", BOTH, ids=["day", "month"])
def test_a_quota_outlives_a_boot_in_which_the_clock_was_behind(tmp_path: Path, rule: CalendarWindow) -> None:
    store = open_limits(tmp_path / "l.bin", 1, 0, boot=BOOT)
    store.take_one(rule, b"x", NOW_S, WALL_S)
    store.close()
    open_at(tmp_path / "l.bin", 1, 0, boot=b"c" * 16, now_s=1.0, wall_s=60.0).close()  # it is set later, or never
    store = open_at(tmp_path / "l.bin", 1, 0, boot=b"d" * 16, now_s=1.0, wall_s=WALL_S + 600.0)
    assert store.take_one(rule, b"x", 1.0, WALL_S + 600.0).remaining == (98.0,)
    store.close()


@pytest.mark.parametrize(("rule", "later_s"), [(BOTH[0], DAY_S), (BOTH[1], 31 * DAY_S)], ids=["day", "month"])
def test_after_a_boot_a_quota_of_a_period_that_is_over_is_forgotten(
    tmp_path: Path, rule: CalendarWindow, later_s: float
) -> None:
    store = open_limits(tmp_path / "l.bin", 1, 0, boot=BOOT)
    store.take_one(rule, b"x", NOW_S, WALL_S)
    store.close()
    store = open_at(tmp_path / "l.bin", 1, 0, boot=b"c" * 16, now_s=1.0, wall_s=WALL_S + later_s)
    assert store.stats().entries == 0
    store.close()


@pytest.mark.parametrize(("rule", "parts"), [(BOTH[0], 24), (BOTH[1], 30)], ids=["day", "month"])
def test_in_one_boot_a_quota_lives_to_the_end_of_its_period_asleep_or_awake(
    tmp_path: Path, rule: CalendarWindow, parts: int
) -> None:
    start_s, end_s = (1_699_920_000.0, 1_700_006_400.0) if parts == 24 else (1_698_796_800.0, 1_701_388_800.0)
    for part in range(parts):  # asleep for so much of it, from its first second on
        path, slept_s = tmp_path / f"{part}.bin", (end_s - start_s) * part / parts
        store = open_at(path, 1, 0, boot=BOOT, now_s=NOW_S, wall_s=start_s)
        store.take_one(rule, b"x", NOW_S, start_s)
        store.close()
        now_s = NOW_S + end_s - start_s - slept_s - 1.0
        store = open_at(path, 2, 0, boot=BOOT, now_s=now_s, wall_s=end_s - 1.0)  # more workers, too
        assert store.take_one(rule, b"x", now_s, end_s - 1.0).remaining == (98.0,)
        store.close()


@pytest.mark.parametrize("junk", [b"", b"FGLIMIT1", b"x" * 10_000])
def test_a_damaged_file_is_made_anew(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "l.bin").write_bytes(junk)
    store = open_limits(tmp_path / "l.bin", 2, 1)
    assert left(store, QUOTA) == 99.0
    store.close()


def test_a_full_disk_fails_to_open_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_limits(tmp_path / "l.bin", 2, 0, boot=BOOT)
    left(store, QUOTA)
    store.close()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(OSError, match="No space left"):
            open_limits(tmp_path / "l.bin", 3, 0, boot=BOOT)
    assert not (tmp_path / "l.bin.new").exists()
    store = open_limits(tmp_path / "l.bin", 2, 0, boot=BOOT)
    assert left(store, QUOTA) == 98.0
    store.close()


def test_a_worker_outside_the_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="worker 2 of 2"):
        open_limits(tmp_path / "l.bin", 2, 2)


@pytest.mark.parametrize(
    "rule", [TokenBucket(10.0, 5.0), LeakyBucket(10.0, 5.0, 9.0)], ids=lambda rule: type(rule).__name__
)
def test_a_number_that_cannot_be_is_forgiven(tmp_path: Path, rule: TokenBucket | LeakyBucket) -> None:
    store = open_limits(tmp_path / "l.bin", 1, 0, boot=BOOT)
    store.take_one(rule, b"x", 5.0, WALL_S)
    place = store._known[b"x"].place
    store._table.words[place + CELLS] = 1e12
    store.take_one(rule, b"x", 6.0, WALL_S)
    assert store.take_one(rule, b"x", 7.0, WALL_S).allowed
    assert sum(store.take_one(rule, b"x", 7.0, WALL_S).allowed for _ in range(20)) <= 5
    store.close()


def test_a_table_filled_to_three_quarters_evicts_nobody_and_finds_everybody_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KNOWN_MAX", 100)  # so that nearly all are found in the table itself
    one, other = (open_limits(tmp_path / "l.bin", 2, worker, capacity=4096, boot=BOOT) for worker in range(2))
    for expected, store in ((99.0, one), (98.0, other), (97.0, one)):
        assert {left(store, QUOTA, b"%d" % number) for number in range(3072)} == {expected}
    assert (one.stats().entries, other.stats().evicted) == (3072, 0)
    one.close()
    other.close()


def test_it_works_on_when_no_more_files_can_be_opened(tmp_path: Path) -> None:
    store = open_limits(tmp_path / "l.bin", 1, 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        assert left(store, QUOTA, b"new") == 99.0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    store.close()


def test_a_capacity_that_is_no_power_of_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="capacity 1000"):
        open_limits(tmp_path / "l.bin", 1, 0, capacity=1000)
