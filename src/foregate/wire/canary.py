"""The settings of canaries: a share of a route's traffic for a new version, which ends by itself."""

import hashlib
from typing import Annotated

import msgspec
from msgspec import Meta

from foregate.wire.settings import Settings, Share


class Canary(Settings, frozen=True):
    """`weight` percent of the route's requests go to `service`, until it does worse than the route's own service.

    Worse is judged over the last `window_s`, from `requests_min` of its requests on: a share of failures that is
    `errors_over` above the other's, a 95th percentile `slower_than` times the other's (both beyond chance), or
    a predicted risk of at least `risk` that the other has not.
    """

    service: Annotated[str, Meta(min_length=1, max_length=63)]
    weight: Annotated[float, Meta(gt=0, lt=100)] = 5.0
    errors_over: Share = 0.02
    slower_than: Annotated[float, Meta(gt=1, le=1_000)] | None = 2.0
    risk: Annotated[float, Meta(gt=0, lt=1)] | None = 0.8
    requests_min: Annotated[int, Meta(ge=10, le=100_000)] = 30
    window_s: Annotated[float, Meta(ge=10, le=3_600)] = 60.0


def fingerprint(canary: Canary) -> str:
    """Names these settings: one that was rolled back is tried anew when they change."""
    return hashlib.sha256(msgspec.json.encode(canary)).hexdigest()[:12]


class CanaryState(msgspec.Struct, frozen=True):
    """A canary as operators see it. `weight` in percent; `since_s` (Unix seconds) and `reason`: of its rolling back."""

    route: str
    service: str
    canary: str
    weight: float
    rolled_back: bool
    since_s: float | None
    reason: str
