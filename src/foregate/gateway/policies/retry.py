"""Whether a failed attempt is worth another one, and after how long."""

import random
from dataclasses import dataclass

from foregate.wire.policies import Retry

IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"})
RETRYABLE_CODES = frozenset({"upstream_refused", "upstream_closed", "upstream_timeout"})


@dataclass(slots=True)
class Attempted:
    """What is known after an attempt has failed. `status` is 0 when there was no answer, then `code` says why."""

    attempts: int  # made so far, this one included
    status: int
    code: str
    repeatable: bool  # an idempotent method, or an Idempotency-Key
    replayable: bool  # the whole body sent so far was kept
    begun: bool  # bytes of an answer have gone to the client


def decide(attempted: Attempted, retry: Retry, rng: random.Random) -> float | None:
    """Seconds to wait before the next attempt: min(base·2^(n−1), max) ± jitter; None for no more attempts."""
    if attempted.attempts > retry.attempts or attempted.begun:
        return None
    if not attempted.repeatable or not attempted.replayable:
        return None
    if attempted.status not in retry.statuses and attempted.code not in RETRYABLE_CODES:
        return None
    wait_s: float = min(retry.base_s * 2.0 ** (attempted.attempts - 1), retry.max_s)
    return wait_s * (1.0 + retry.jitter * (2.0 * rng.random() - 1.0))
