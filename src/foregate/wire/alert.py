"""An alarm for people: a failure is coming, or an error budget is being spent too fast."""

from typing import Literal

import msgspec

from foregate.wire.entity import Entity

AlertState = Literal["open", "closed"]
AlertOutcome = Literal[
    "pending",
    "failed",  # the entity did fail within the horizon: the alert was right
    "no_failure",  # the horizon passed without a failure: a false alarm (or somebody mended it in time)
    "measured",  # a burn rate foretells nothing: it says what has been spent
]
AlertKind = Literal["risk", "burn_rate"]
AlertSeverity = Literal["page", "ticket"]  # wake somebody; or it can wait until the morning


class Alert(msgspec.Struct, frozen=True):
    """A predicted failure, or a burn rate. A newer version of the same `id` replaces the older one.

    Of a burn rate `score`, `peak_score` and `threshold` are burn rates (1: the budget lasts for exactly its period),
    `horizon_s` is the longer window of the rule that raised it, `objective` says which one is meant, and `outcome` is
    "measured". Of a risk `objective` is "" and the rest as follows.

    `outcome` is the product judging itself: was there a failure onset within `horizon_s`, and `lead_s` how long before
    its first bad minute the alert was raised.
    """

    id: str
    raised_s: float
    updated_s: float
    entity: Entity
    state: AlertState
    outcome: AlertOutcome
    score: float  # when raised
    peak_score: float
    threshold: float
    horizon_s: int
    model_version: str
    title: str
    reasons: tuple[str, ...]
    failed_s: float | None = None  # start of the first bad minute
    lead_s: float | None = None
    closed_s: float | None = None
    kind: AlertKind = "risk"
    severity: AlertSeverity = "page"
    objective: str = ""  # "availability" or "latency"
