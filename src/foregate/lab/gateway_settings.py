"""How the demo's gateway is set: one table for the generated foregate.yaml and for the simulated front."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GatewaySettings:
    """Per service. `attempts` tries more after the first, as in foregate.yaml."""

    timeout_s: float
    attempts: int = 1
    base_s: float = 0.2
    max_s: float = 0.5
    failures: int = 8
    open_s: float = 10.0


SETTINGS = {
    "payments": GatewaySettings(timeout_s=3.0),
    "search": GatewaySettings(timeout_s=2.0),
    "users": GatewaySettings(timeout_s=2.0),
    "orders": GatewaySettings(timeout_s=5.0),
    "ai": GatewaySettings(timeout_s=15.0, attempts=1),
}
