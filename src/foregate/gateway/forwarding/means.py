"""What all requests of a worker share on their way to an upstream."""

import random
from collections.abc import Mapping
from typing import NamedTuple

from foregate.gateway.policies.policy import Log
from foregate.gateway.record import Recorder
from foregate.gateway.upstream import ServiceState
from foregate.kernel.clock import Clock


class Forwarding(NamedTuple):
    """`log` is never called on the ordinary path; `services` are those that a fallback may name."""

    recorder: Recorder
    rng: random.Random
    log: Log
    clock: Clock
    services: Mapping[str, ServiceState]
