"""Each limit as a textbook would write it, for one process that sees everything: what every store is held against."""

import calendar
import time
from typing import Protocol

from foregate.ports.limits import (
    CalendarWindow,
    Concurrency,
    FixedWindow,
    LeakyBucket,
    Rule,
    SlidingWindow,
    TokenBucket,
)


class Model(Protocol):
    def take(self, now_s: float, wall_s: float, cost: float) -> tuple[bool, float, float]:
        """(allowed, delay, what is left)."""
        ...


class TokenModel:
    def __init__(self, rule: TokenBucket) -> None:
        self.rule, self.tokens, self.last_s = rule, rule.burst, 0.0

    def take(self, now_s: float, wall_s: float, cost: float) -> tuple[bool, float, float]:
        self.tokens = min(self.rule.burst, self.tokens + (now_s - self.last_s) * self.rule.rate)
        self.last_s = now_s
        allowed = self.tokens >= min(cost, self.rule.burst)
        self.tokens -= cost if allowed else 0.0
        return allowed, 0.0, self.tokens


class LeakyModel:
    def __init__(self, rule: LeakyBucket) -> None:
        self.rule, self.level, self.last_s = rule, 0.0, 0.0

    def take(self, now_s: float, wall_s: float, cost: float) -> tuple[bool, float, float]:
        self.level = max(0.0, self.level - (now_s - self.last_s) * self.rule.rate)
        self.last_s = now_s
        delay_s = self.level / self.rule.rate
        allowed = self.level <= self.rule.burst and delay_s <= self.rule.delay_max_s
        self.level += cost if allowed else 0.0
        queue = min(self.rule.burst, self.rule.delay_max_s * self.rule.rate)
        return allowed, delay_s if allowed else 0.0, queue + 1.0 - self.level


class WindowModel:
    """All kinds of windows: a log of everything that was let in."""

    def __init__(self, rule: SlidingWindow | FixedWindow | CalendarWindow) -> None:
        self.rule = rule
        self.log: list[tuple[int, float]] = []

    def take(self, now_s: float, wall_s: float, cost: float) -> tuple[bool, float, float]:
        window, gone = self._place(now_s, wall_s)
        used = sum(was for at, was in self.log if at == window)
        if isinstance(self.rule, SlidingWindow):
            before = int(sum(was for at, was in self.log if at == window - 1))
            used += sum(1 for number in range(before) if number > gone * before)  # evenly spread: what is in view
        allowed = used + min(cost, self.rule.limit) <= self.rule.limit
        if allowed:
            self.log.append((window, cost))
            used += cost
        return allowed, 0.0, self.rule.limit - used

    def _place(self, now_s: float, wall_s: float) -> tuple[int, float]:
        if not isinstance(self.rule, CalendarWindow):
            return int(now_s // self.rule.window_s), now_s / self.rule.window_s % 1.0
        date = time.gmtime(wall_s)
        month = date.tm_year * 12 + date.tm_mon
        return (month if self.rule.period == "month" else calendar.timegm(date) // 86_400), 0.0


class SlotModel:
    def __init__(self, rule: Concurrency) -> None:
        self.rule, self.held = rule, 0.0

    def take(self, now_s: float, wall_s: float, cost: float) -> tuple[bool, float, float]:
        allowed = self.held + min(cost, self.rule.limit) <= self.rule.limit
        self.held += cost if allowed else 0.0
        return allowed, 0.0, self.rule.limit - self.held


def model(rule: Rule) -> Model:
    """The model of a rule."""
    match rule:
        case TokenBucket():
            return TokenModel(rule)
        case LeakyBucket():
            return LeakyModel(rule)
        case Concurrency():
            return SlotModel(rule)
        case _:
            return WindowModel(rule)
