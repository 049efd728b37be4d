"""What a live lab is told, and where its services listen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from foregate.lab.model.profile import PROFILES
from foregate.lab.scenario import Scenario

HOST = "127.0.0.1"  # the lab never listens anywhere else


def instance_names() -> tuple[str, ...]:
    """The processes of the demo world, e.g. "payments-0": one port each."""
    return tuple(f"{profile.name}-{number}" for profile in PROFILES for number in range(profile.instances))


def default_ports(first: int = 9101) -> dict[str, int]:
    """A port for each instance, counted up from `first`."""
    return {name: first + offset for offset, name in enumerate(instance_names())}


@dataclass(frozen=True)
class LabConfig:
    """`keys` maps each client ("web", "mobile", "partner") to its API key. Port 0, or none, means a free one.

    Without `gateway_url` the services run, but nobody asks them. With `telemetry_url`, an intake of foregate's, they
    send their metrics there with `telemetry_key`; `world` is part of the names by which the gateway knows them.
    """

    gateway_url: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    scenario: Scenario = field(default_factory=Scenario.demo)
    ports: Mapping[str, int] = field(default_factory=default_ports)
    control_port: int = 0
    telemetry_url: str = ""
    telemetry_key: str = ""
    world: str = ""


@dataclass(frozen=True)
class LabAddresses:
    """Where the lab listens: instance name → port, and the control endpoint's port."""

    ports: Mapping[str, int]
    control_port: int

    @property
    def control_url(self) -> str:
        return f"http://{HOST}:{self.control_port}"
