"""What an event says of language models, as numbers that add up: attempts, tokens, the time to a first token."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from foregate.kernel.errors import ERRORS
from foregate.telemetry.ledger import TOKENS_MAX
from foregate.wire.event import AiUsage, RequestEvent

FIRST_TOKEN_MAX_MS: Final = 1e9  # a longer one (12 days) is not a measurement
ATTEMPTS_CHARS_MAX: Final = 4_096  # of what an event says of its attempts; a sender's longer list is cut
_NO_FAILURE: Final = frozenset(
    {"ok", "other_api", *(code for code, spec in ERRORS.items() if spec.fault == "client")}  # who left, failed nobody
)
_UNSAYABLE: Final = "cannot_say("  # nobody was asked
_OTHERS_MAY: Final = frozenset({"401", "403", "404", "408", "429"})  # of 4xx; the others are the client's own mistakes
_LIMITED: Final = "429"


class ModelNumbers(NamedTuple):
    """Of one request to a model; all 0 for a request to none."""

    requests: int
    failures: int  # attempts that failed
    limited: int  # of these, those that were answered 429
    tokens: int
    first_tokens: int  # 1 where the time to the first token was measured
    first_token_us: int


REQUESTS, FAILURES, LIMITED, TOKENS, FIRST_TOKENS, FIRST_TOKEN_US = range(len(ModelNumbers._fields))


def model_numbers(said: AiUsage) -> ModelNumbers:
    """Numbers that nobody can have measured count as not measured."""
    words = said.attempts[:ATTEMPTS_CHARS_MAX].split(" ")
    outcomes = [outcome for _, colon, outcome in (word.rpartition(":") for word in words) if colon]
    timed = 0.0 <= said.first_token_ms <= FIRST_TOKEN_MAX_MS
    return ModelNumbers(
        1,
        sum(map(_failed, outcomes)),
        outcomes.count(_LIMITED),
        sum(min(max(tokens, 0), TOKENS_MAX) for tokens in (said.input_tokens, said.output_tokens)),
        int(timed),
        int(said.first_token_ms * 1000.0 + 0.5) if timed else 0,
    )


def model_columns(events: Sequence[RequestEvent]) -> npt.NDArray[np.int64]:
    """A row of `ModelNumbers` per event."""
    found = np.zeros((len(events), len(ModelNumbers._fields)), np.int64)
    for at, said in enumerate([event.ai for event in events]):
        if said is not None:
            found[at] = model_numbers(said)
    return found


def _failed(outcome: str) -> bool:
    if outcome in _NO_FAILURE or outcome.startswith(_UNSAYABLE):
        return False
    return outcome in _OTHERS_MAY or not (len(outcome) == 3 and outcome[0] == "4" and outcome.isdecimal())
