"""A value that is far from what is usual for this entity."""

from typing import Literal

import msgspec

from foregate.wire.entity import Entity


class Anomaly(msgspec.Struct, frozen=True):
    """One metric of one entity left its usual band at `started_s`; `ended_s` is None while it lasts.

    `z` is the robust z-score ((value − median) / (1.4826 · MAD)) of its worst tick; `expected` the median, in the
    metric's unit.
    """

    id: str
    started_s: float
    updated_s: float
    ended_s: float | None
    entity: Entity
    metric: Literal["p95_ms", "error_rate", "rps"]
    value: float
    expected: float
    z: float
    sentence: str
