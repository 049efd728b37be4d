"""How those around an entity are doing: the routes of its own service, and the services that it calls."""

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.features.exhaustion import ends_per_h
from foregate.predict.features.feature import over
from foregate.predict.features.frame import Frame
from foregate.predict.usual import Floats
from foregate.wire.entity import Entity

HEALTH: Final = ("p95_ratio", "error_rate", "rps_ratio", "concurrency_ratio", "ends_per_h")
AROUND: Final = (
    "service_p95_ratio",
    "service_error_rate",
    "service_rps_ratio",
    "dependency_p95_ratio",
    "dependency_error_rate",
    "dependency_concurrency_ratio",
    "dependency_ends_per_h",
)
_FROM_DEPENDENCY: Final = (0, 1, 3, 4)
CALLS_MAX: Final = 20_000  # of the service map; more are left out, the last in order of names

Call = tuple[str, str, str, str]  # org, environment, caller service, called service


def health(frame: Frame) -> Floats:
    """(n, len(HEALTH)) of the last five minutes, against each one's own usual, and how soon something of it ends."""
    parts = (
        over(frame.span("p95_ms", 5), frame.median("p95_ms"), 1.0),
        frame.span("error_rate", 5),
        over(frame.span("rps", 5), frame.median("rps"), 0.05),
        over(frame.span("concurrency", 5), frame.median("concurrency"), 0.05),
        ends_per_h(frame),
    )
    return np.stack(parts, axis=1)


class Neighbourhood:
    """Who is beside whom among `entities`; `calls` is the service map."""

    def __init__(self, entities: Sequence[Entity], calls: Collection[Call]) -> None:
        keys = [(e.org, e.environment, e.service) for e in entities]
        number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        self._service = np.array([number[key] for key in keys], dtype=np.intp)
        self._order = np.argsort(self._service, kind="stable")
        self._starts = np.flatnonzero(np.diff(self._service[self._order], prepend=-1))
        pairs = sorted(
            (number[org, environment, caller], number[org, environment, called])
            for org, environment, caller, called in sorted(calls)[:CALLS_MAX]
            if (org, environment, caller) in number and (org, environment, called) in number and caller != called
        )
        self._callers = np.array([caller for caller, _ in pairs], dtype=np.intp)
        self._called = np.array([called for _, called in pairs], dtype=np.intp)
        self._caller_starts = np.flatnonzero(np.diff(self._callers, prepend=-1))
        self._services = len(number)

    def around(self, of: Floats) -> Floats:
        """`of` (E, …, len(HEALTH)) → (E, …, len(AROUND)): the worst of each, NaN where there is none."""
        worst = np.fmax.reduceat(of[self._order], self._starts, axis=0)
        below = np.full((self._services, *of.shape[1:]), np.nan, dtype=np.float32)
        if len(self._callers):
            of_called = np.fmax.reduceat(worst[self._called], self._caller_starts, axis=0)
            below[self._callers[self._caller_starts]] = of_called
        chosen: NDArray[np.float32] = np.concatenate([worst[..., :3], below[..., _FROM_DEPENDENCY]], axis=-1)
        return chosen[self._service]
