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
    assert recent.bytes == 10


def test_what_was_used_longest_ago_goes_first_at_the_bound() -> None:
    recent = Recent(ManualClock(), bytes_max=30)
    for key in ("a", "b", "c", "a", "d"):
        recent.get(key, lambda key=key: key, 60.0, lambda _: 10)
    assert recent.bytes == 30
    remade = list[str]()
    for key in ("a", "c", "d", "b"):
        recent.get(key, lambda key=key: remade.append(key), 60.0, lambda _: 10)
    assert remade == ["b"]


def test_what_cannot_be_made_is_not_remembered() -> None:
    recent = Recent(ManualClock())
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            recent.get("a", lambda: 1 // 0, 60.0, lambda _: 10)
    assert recent.bytes == 0
