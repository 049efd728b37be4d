"""The services' own metrics, by the names of OpenTelemetry's semantic conventions for runtimes and database clients.

So whoever understands real services understands these. The conventions have no name for how busy workers are: that one
is foregate's. In a headless run the points go straight to who reads them; live they are sent.
"""

from typing import Final

from foregate.lab.model.readings import Reading, readings
from foregate.lab.model.service import Service
from foregate.wire.point import Point

EVERY_S: Final = 10.0  # as often as exporters send, or oftener
_HEAP: Final = {"jvm.memory.type": "heap"}
_POOL: Final = "db.client.connection.pool.name"
_STATE: Final = "db.client.connection.state"


def points(service: Service, name: str, time_s: float, *, org: str = "", environment: str = "") -> list[Point]:
    """What each process of `service` says now. `name`: what the gateway calls it; `time_s`: Unix seconds."""
    return [
        point
        for reading in readings(service)
        for point in _Saying(org, environment, name, reading, time_s).of(service.database.name)
    ]


class _Saying:
    """One process at one moment."""

    def __init__(self, org: str, environment: str, service: str, reading: Reading, time_s: float) -> None:
        self._place = org, environment, service
        self._reading = reading
        self._time_s = time_s

    def of(self, pool: str) -> list[Point]:
        _, memory, connections, workers = self._reading
        of_pool = {_POOL: pool}
        idle = connections.limit - connections.used
        return [
            self._count("jvm.memory.used", "By", memory.used, _HEAP),
            self._count("jvm.memory.limit", "By", memory.limit, _HEAP),
            self._count("db.client.connection.count", "{connection}", connections.used, of_pool | {_STATE: "used"}),
            self._count("db.client.connection.count", "{connection}", idle, of_pool | {_STATE: "idle"}),
            self._count("db.client.connection.max", "{connection}", connections.limit, of_pool),
            self._share("service.workers.utilization", workers.used / workers.limit),
        ]

    def _count(self, name: str, unit: str, value: int, attributes: dict[str, str]) -> Point:
        """An UpDownCounter, which is what the conventions say of all of these."""
        return Point(
            *self._place, name, "sum", self._time_s, value, unit,
            instance=self._reading.instance, attributes=attributes,
        )  # fmt: skip

    def _share(self, name: str, value: float) -> Point:
        return Point(*self._place, name, "gauge", self._time_s, value, "1", instance=self._reading.instance)
