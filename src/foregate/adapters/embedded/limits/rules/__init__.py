"""One algorithm per file, each a pure function of what all workers wrote: `Algorithm` in `algorithm`, `compiled` here.

A subject has two cells per worker, `a` and `b`; a worker writes only its own pair. `cells` is (a0, b0, a1, b1, …).
"""

from foregate.adapters.embedded.limits.rules.algorithm import Algorithm
from foregate.adapters.embedded.limits.rules.calendar_window import Calendar, Months
from foregate.adapters.embedded.limits.rules.concurrency import Slots
from foregate.adapters.embedded.limits.rules.fixed_window import Fixed
from foregate.adapters.embedded.limits.rules.leaky_bucket import Leaky
from foregate.adapters.embedded.limits.rules.sliding_window import Sliding
from foregate.adapters.embedded.limits.rules.token_bucket import Tokens
from foregate.ports.limits import (
    CalendarWindow,
    Concurrency,
    FixedWindow,
    LeakyBucket,
    Rule,
    SlidingWindow,
    TokenBucket,
)

KINDS: tuple[type[Algorithm], ...] = (Tokens, Leaky, Sliding, Fixed, Slots, Calendar, Months)


def compiled(rule: Rule) -> Algorithm:
    """The algorithm of a rule, its constants worked out."""
    match rule:
        case TokenBucket():
            return Tokens(rule)
        case LeakyBucket():
            return Leaky(rule)
        case SlidingWindow():
            return Sliding(rule)
        case FixedWindow():
            return Fixed(rule)
        case Concurrency():
            return Slots(rule)
        case CalendarWindow():
            return Months(rule) if rule.period == "month" else Calendar(rule)


def merged(kind: int, cells: tuple[float, ...]) -> tuple[float, float]:
    """All workers' cells of a subject as one worker's, for a table of another shape."""
    for algorithm in KINDS:
        if algorithm.kind == kind:
            return algorithm.merge(cells)
    return 0.0, 0.0


def outlives_s(kind: int, pair: tuple[float, float], wall_s: float) -> float:
    """For how long a merged pair is kept on from another run of the machine: quotas alone are, others' times mean
    nothing now. 0 when it is not."""
    for algorithm in (Calendar, Months):
        if algorithm.kind == kind and algorithm.speaks(pair, wall_s):
            return 2.0 * algorithm.lifetime_s
    return 0.0
