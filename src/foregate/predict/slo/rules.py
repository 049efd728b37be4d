"""Multi-window, multi-burn-rate rules, after chapter 5 of Google's SRE workbook ("Alerting on SLOs", method 6).

A burn rate of 1 spends the budget in exactly its period. A rule holds while both of its windows burn at `factor` or
more: the longer one says that it matters, the shorter one that it still goes on.
"""

from typing import Final, NamedTuple

from foregate.wire.alert import AlertSeverity

FULL_SHARE: Final = 0.8  # of a target so low that even failing outright burns slower than a rule asks, so much suffices


class Rule(NamedTuple):
    """`spent`: the share of a budget of 30 days that is gone when the longer window has burnt at `factor`."""

    severity: AlertSeverity
    factor: float
    long_s: int
    short_s: int
    spent: float


RULES: Final = (
    Rule("page", 14.4, 3_600, 300, 0.02),
    Rule("page", 6.0, 21_600, 1_800, 0.05),
    Rule("ticket", 3.0, 86_400, 7_200, 0.10),
    Rule("ticket", 1.0, 259_200, 21_600, 0.10),
)
WINDOWS_S: Final = tuple(sorted({window for rule in RULES for window in (rule.long_s, rule.short_s)}))


def factor_of(rule: Rule, target: float) -> float:
    """From which burn rate on the rule holds. At a target of 90 % everything failing burns at 10, never at 14.4."""
    return min(rule.factor, FULL_SHARE / (1.0 - target))


def burn_rate(bad: float, requests: float, target: float) -> float | None:
    """How many times faster than sustainable; None without requests."""
    return bad / requests / (1.0 - target) if requests > 0 else None
