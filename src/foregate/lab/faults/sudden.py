"""Faults without a warning: a process that dies, a version that is broken."""

from foregate.lab.model.world import World
from foregate.lab.scenario import Fault


class Crash:
    """Processes die and stay away for as long as the fault lasts: one of them below severity 0.5, else all."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        instances = world.services[fault.service].instances
        self._instances = instances if fault.severity >= 0.5 else instances[:1]
        for instance in self._instances:
            instance.crash(fault.duration_s)

    def step(self, age_s: float) -> None:
        """A dead process does nothing."""

    def end(self) -> None:
        for instance in self._instances:
            instance.start()


class BadDeploy:
    """From one moment to the next a share of answers are errors, and the work takes longer."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        self._id = fault_id
        self._service = world.services[fault.service]
        self._service.error_share.set(fault_id, 0.1 + 0.4 * fault.severity)
        self._service.slow.set(fault_id, 1.0 + 1.5 * fault.severity)

    def step(self, age_s: float) -> None:
        """It does not get worse."""

    def end(self) -> None:
        self._service.error_share.clear(self._id)
        self._service.slow.clear(self._id)
