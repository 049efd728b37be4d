"""What was asked a moment ago is remembered, within its bounds."""

import pytest

from foregate.kernel.clock import ManualClock
from foregate.telemetry.query.recent import Recent


def test_a_value_is_made_once_until_it_is_too_old() -> None:
    clock, made = ManualClock(), list[int]()
    recent = Recent(clock)

    def make() -> int:
        made.append(1)
        return len(made)

    assert [recent.get("a", make, 5.0, lambda _: 10) for _ in range(3)] == [1, 1, 1]
    clock.advance(5.0)
    assert recent.get("a", make, 5.0, lambda _: 10) == 2
    assert 10 < recent.bytes < 2_000


def test_what_was_used_longest_ago_goes_first_at_the_bound() -> None:
    recent = Recent(ManualClock(), bytes_max=400_000)
    for key in ("a", "b", "c", "d", "a", "e"):
        recent.get(key, lambda key=key: key, 60.0, lambda _: 99_000)
    assert recent.bytes == 400_000
    remade = list[str]()
    for key in ("a", "c", "d", "e", "b"):
        recent.get(key, lambda key=key: remade.append(key), 60.0, lambda _: 99_000)
    assert remade == ["b"]


def test_even_what_is_empty_is_not_kept_for_ever() -> None:
    recent = Recent(ManualClock(), bytes_max=100_000)
    for key in range(1_000):
        recent.get(key, list[int], 60.0, len)
    remade = list[int]()
    recent.get(0, lambda: remade.append(0), 60.0, lambda _: 0)
    assert remade == [0]
    assert recent.bytes <= 100_000


def test_one_large_value_does_not_push_out_the_others() -> None:
    recent, made = Recent(ManualClock(), bytes_max=100_000), list[str]()
    for key, size in (("a", 10), ("large", 60_000), ("a", 10)):
        recent.get(key, lambda key=key: made.append(key), 60.0, lambda _, size=size: size)
    assert made == ["a", "large"]


def test_what_cannot_be_made_is_not_remembered() -> None:
    recent = Recent(ManualClock())
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            recent.get("a", lambda: 1 // 0, 60.0, lambda _: 10)
    assert recent.bytes == 0
