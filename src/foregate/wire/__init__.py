"""What the planes say to each other: frozen messages, encoded with msgspec as MessagePack arrays.

Consumes and emits nothing by itself. Promise: a field is only ever added at the end, with a default, so a reader of
any version understands a writer of any other; a message starts with its version where that is not enough.
Bus topics are named here too, because a topic is part of what is said.
"""

from typing import Final
from zlib import crc32

TOPIC_EVENTS: Final = "events"  # batches of wire.event.RequestEvent
TOPIC_HISTORY: Final = "history"  # the same, of the past: imported, or sent as such; not late, whatever their time
TOPIC_SPANS: Final = "spans"  # batches of wire.span.Span
TOPIC_LOGS: Final = "logs"  # batches of wire.log.LogRecord
TOPIC_POINTS: Final = "points"  # batches of wire.point.Point
TOPIC_RISKS: Final = "risks"  # batches of wire.risk.Risk
TOPIC_ANOMALIES: Final = "anomalies"  # batches of wire.anomaly.Anomaly
TOPIC_ALERTS: Final = "alerts"  # batches of wire.alert.Alert, one per change of state


def partition_of(org: str, service: str, partitions: int) -> int:
    """Where items of a service go in a topic: always to the same partition, so that they stay in their order."""
    return crc32(f"{org}\0{service}".encode()) % partitions
