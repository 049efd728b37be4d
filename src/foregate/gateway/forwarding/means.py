"""What all requests of a worker share on their way to an upstream."""

import random
from collections.abc import Mapping

from foregate.gateway.failure_log import FailureLog
from foregate.gateway.policies.policy import Log
from foregate.gateway.record import Recorder
from foregate.gateway.upstream import ServiceState
from foregate.kernel.clock import Clock


class Forwarding:
    """`failures` hears of policies that fail, `log` of what else is rare: never called on the ordinary path.

    `services` are those that a fallback may name.
    """

    __slots__ = ("failures", "log", "monotonic", "recorded", "rng", "services")

    def __init__(
        self,
        recorder: Recorder,
        rng: random.Random,
        log: Log,
        failures: FailureLog,
        clock: Clock,
        services: Mapping[str, ServiceState],
    ) -> None:
        self.rng = rng
        self.log = log
        self.failures = failures
        self.services = services
        self.monotonic = clock.monotonic
        self.recorded = recorder.finished  # bound once, not with every request
