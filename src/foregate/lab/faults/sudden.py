"""Faults without a warning: a process that dies, a version that is broken, a certificate that has expired."""

from foregate.lab.faults.strengths import bad_deploy
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


class Certificate:
    """The service's certificate has expired: no connection to it is made until somebody renews it."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        self._instances = world.services[fault.service].instances
        for instance in self._instances:
            instance.distrust()

    def step(self, age_s: float) -> None:
        """Expired is expired."""

    def end(self) -> None:
        for instance in self._instances:
            instance.trust()


class BadDeploy:
    """From one moment to the next a share of answers are errors, and the work takes longer."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        self._id = fault_id
        self._service = world.services[fault.service]
        errors, slow = bad_deploy(fault.severity)
        self._service.error_share.set(fault_id, errors)
        self._service.slow.set(fault_id, slow)

    def step(self, age_s: float) -> None:
        """It does not get worse."""

    def end(self) -> None:
        self._service.error_share.clear(self._id)
        self._service.slow.clear(self._id)
