"""What the processes of a service know of their own resources: used, and at most.

It is what a runtime shows of itself: a heap with its garbage in it, not what a collection would leave.
"""

from typing import Final, NamedTuple

from foregate.lab.model.instance import Instance
from foregate.lab.model.service import Service

MEGABYTE: Final = 1_048_576


class Used(NamedTuple):
    """`used` of `limit`: bytes, connections or workers."""

    used: int
    limit: int


class Reading(NamedTuple):
    """One process at one moment. `connections` are those of the service's one pool, which its processes share."""

    instance: str
    memory: Used
    connections: Used
    workers: Used


def readings(service: Service) -> list[Reading]:
    """Of its processes that are up: one that is down says nothing."""
    pool = service.database.pool
    connections = Used(pool.taken, pool.size)
    return [_reading(instance, connections) for instance in service.instances if instance.up]


def _reading(instance: Instance, connections: Used) -> Reading:
    heap, workers = instance.heap, instance.workers
    return Reading(
        instance.name,
        Used(round((heap.live_mb + heap.garbage_mb) * MEGABYTE), round(heap.limit_mb * MEGABYTE)),
        connections,
        Used(workers.taken, workers.size),
    )
