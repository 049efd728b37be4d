"""What the processes of a service say of their own resources, and what a minute of it comes to.

It is what a runtime's metrics show from outside: a heap with its garbage in it, not what a collection would leave.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from foregate.lab.model.instance import Instance
from foregate.lab.model.service import Service

MEGABYTE: Final = 1_048_576


class Used(NamedTuple):
    """`used` of `limit`: bytes, connections or workers."""

    used: int
    limit: int

    @property
    def left(self) -> float:
        """Share that is free, 0 to 1."""
        return max(0.0, 1.0 - self.used / self.limit)


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


def left_of(samples: Iterable[Sequence[Reading]]) -> Mapping[str, float]:
    """The columns `memory_left`, `connections_left` and `workers_left` (`wire.minutes`) of one service's minute.

    `samples`: `readings` at each ten seconds of it, oldest first. Memory is 1 - (live + garbage) / limit at each
    process's last reading; of connections and workers it is 1 - mean taken / size over each process's readings. Of
    several processes the one that has least left is told, column by column. Empty where no process said anything.
    """
    by_process: dict[str, list[Reading]] = defaultdict(list)
    for sample in samples:
        for reading in sample:
            by_process[reading.instance].append(reading)
    if not by_process:
        return {}
    said = list(by_process.values())
    return {
        "memory_left": min(each[-1].memory.left for each in said),
        "connections_left": min(_mean_left(each, lambda one: one.connections) for each in said),
        "workers_left": min(_mean_left(each, lambda one: one.workers) for each in said),
    }


def _mean_left(of: Sequence[Reading], which: Callable[[Reading], Used]) -> float:
    return sum(which(one).left for one in of) / len(of)
