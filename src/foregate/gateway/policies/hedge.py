"""Whether a request that waits is asked a second time, elsewhere (The Tail at Scale, Dean and Barroso 2013)."""

from foregate.wire.policies import Hedge


def due(settings: Hedge, hedges: int, *, repeatable: bool, replayable: bool, answered: bool) -> bool:
    """Whether one more attempt may be sent beside those under way. `hedges`: so many were sent before.

    `repeatable`: an idempotent method, or an Idempotency-Key; `replayable`: the whole request has come and was kept;
    `answered`: the head of an answer has come.
    """
    return repeatable and replayable and not answered and hedges < settings.max
