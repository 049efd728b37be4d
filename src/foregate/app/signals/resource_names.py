"""Which metrics say how full something of a service is: one table of names, as exporters really send them.

OpenTelemetry's semantic conventions (1.20 to 1.43, those of before they were renamed included), Micrometer's meters,
the Kubernetes and Docker receivers of the OpenTelemetry Collector, cAdvisor, and the exporters of Puma, Active Record
and Go's database/sql. `docs/guides/deployments.md` is the table for people. In Prometheus names have underscores for
dots and may end in a unit; both are found.

Left out on purpose: `process.memory.utilization`, which the Collector sends in per cent under the unit 1, so that 0.5
may be either; `http.server.tomcat.threads`, whose idle threads are those there are, not those there may be.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

Signal = Literal["memory_left", "connections_left", "workers_left"]
Role = Literal["used", "free", "limit", "share"]  # `share`: of the limit, used

# So large a limit is none: "unlimited" is the largest number of the language (2**31 - 1 threads, 2**63 - 1 bytes).
UNLIMITED: Final[Mapping[Signal, float]] = {"memory_left": 2.0**50, "connections_left": 1e6, "workers_left": 1e6}
_SUFFIXES: Final = ("", "_bytes", "_threads", "_connections", "_ratio")


class Metric(NamedTuple):
    """`where`: one of these attributes, and the value that it must have. `without`: none of these must be there.

    `positive`: 0 means that nothing was measured yet.
    """

    name: str
    role: Role
    where: tuple[tuple[str, ...], str] | None = None
    without: tuple[str, ...] = ()
    positive: bool = False


class Resource(NamedTuple):
    """Something that can be full. `named_by`, `process_by`: labels that say whose it is instead of the sender."""

    signal: Signal
    metrics: tuple[Metric, ...]
    named_by: str = ""
    process_by: str = ""


class Meaning(NamedTuple):
    """What a metric says: `number` is the resource's place in `RESOURCES`."""

    number: int
    resource: Resource
    metric: Metric


_HEAP: Final = (("jvm.memory.type", "type", "area"), "heap")
_USED: Final = (("db.client.connection.state", "db.client.connections.state", "state"), "used")
_HEAP_LIMITS: Final = (
    Metric("jvm.memory.limit", "limit", _HEAP),
    Metric("process.runtime.jvm.memory.limit", "limit", _HEAP),
)


def _pair(signal: Signal, used: str, limit: str) -> Resource:
    return Resource(signal, (Metric(used, "used"), Metric(limit, "limit")))


# Of memory the first that a process reports holds: a heap says more than the container around it, which the runtime
# fills at once and keeps. Of pools all count, the scarcest holds.
RESOURCES: Final = (
    Resource("memory_left", (Metric("service.memory.utilization", "share"),)),
    Resource(
        "memory_left",
        (
            Metric("jvm.memory.used_after_last_gc", "used", _HEAP, positive=True),
            Metric("process.runtime.jvm.memory.usage_after_last_gc", "used", _HEAP, positive=True),
            *_HEAP_LIMITS,
        ),
    ),
    Resource(
        "memory_left",
        (Metric("jvm.gc.live.data.size", "used", positive=True), Metric("jvm.gc.max.data.size", "limit")),
    ),
    Resource(
        "memory_left",
        (
            Metric("jvm.memory.used", "used", _HEAP),
            Metric("process.runtime.jvm.memory.usage", "used", _HEAP),
            Metric("jvm_memory_bytes_used", "used", _HEAP),
            *_HEAP_LIMITS,
            Metric("jvm.memory.max", "limit", _HEAP),
            Metric("jvm_memory_bytes_max", "limit", _HEAP),
        ),
    ),
    _pair("memory_left", "go.memory.used", "go.memory.limit"),
    Resource(  # until 1.41 the limit was that of a space: what is allocated by now, which is always nearly full
        "memory_left",
        (
            Metric("v8js.memory.heap.used", "used"),
            Metric("v8js.memory.heap.limit", "limit", without=("v8js.heap.space.name",)),
        ),
    ),
    Resource("memory_left", (Metric("k8s.container.memory_limit_utilization", "share"),)),
    Resource("memory_left", (Metric("k8s.pod.memory_limit_utilization", "share"),)),
    Resource(
        "memory_left",
        (Metric("container.memory.working_set", "used"), Metric("container.memory.available", "free")),
    ),
    Resource(
        "memory_left",
        (Metric("k8s.pod.memory.working_set", "used"), Metric("k8s.pod.memory.available", "free")),
    ),
    _pair("memory_left", "container.memory.usage.total", "container.memory.usage.limit"),
    Resource(
        "memory_left",
        (
            Metric("container_memory_working_set_bytes", "used"),
            Metric("container_spec_memory_limit_bytes", "limit"),
        ),
        named_by="container",
        process_by="pod",
    ),
    Resource(
        "memory_left",
        (Metric("system.memory.utilization", "share", (("system.memory.state", "state"), "used")),),
    ),
    Resource("connections_left", (Metric("service.connections.utilization", "share"),)),
    Resource(
        "connections_left",
        (Metric("db.client.connection.count", "used", _USED), Metric("db.client.connection.max", "limit")),
    ),
    Resource(
        "connections_left",
        (Metric("db.client.connections.usage", "used", _USED), Metric("db.client.connections.max", "limit")),
    ),
    _pair("connections_left", "hikaricp.connections.active", "hikaricp.connections.max"),
    _pair("connections_left", "jdbc.connections.active", "jdbc.connections.max"),
    _pair("connections_left", "r2dbc.pool.acquired", "r2dbc.pool.max.allocated"),
    _pair("connections_left", "go_sql_in_use_connections", "go_sql_max_open_connections"),
    _pair("connections_left", "activerecord_connection_pool_busy", "activerecord_connection_pool_size"),
    Resource("workers_left", (Metric("service.workers.utilization", "share"),)),
    _pair("workers_left", "tomcat.thread.busy.count", "tomcat.thread.limit"),
    _pair("workers_left", "tomcat.threads.busy", "tomcat.threads.config.max"),
    _pair("workers_left", "jetty.thread.busy.count", "jetty.thread.limit"),
    _pair("workers_left", "jetty.threads.busy", "jetty.threads.config.max"),
    Resource(
        "workers_left",
        (
            Metric("puma_busy_threads", "used"),
            Metric("puma_pool_capacity", "free"),
            Metric("puma_max_threads", "limit"),
        ),
    ),
)


def spellings(name: str) -> Iterator[str]:
    """A name or attribute as OpenTelemetry writes it, and as it comes out of Prometheus."""
    yield name
    yield name.replace(".", "_")


def _meanings() -> dict[str, tuple[Meaning, ...]]:
    found: dict[str, list[Meaning]] = {}
    for number, resource in enumerate(RESOURCES):
        for metric in resource.metrics:
            dotted, plain = spellings(metric.name)
            for name in dict.fromkeys((dotted, *(plain + suffix for suffix in _SUFFIXES))):
                found.setdefault(name, []).append(Meaning(number, resource, _with_spellings(metric)))
    return {name: tuple(meanings) for name, meanings in found.items()}


def _with_spellings(metric: Metric) -> Metric:
    without = _spelled(metric.without)
    where = None if metric.where is None else (_spelled(metric.where[0]), metric.where[1])
    return metric._replace(where=where, without=without)


def _spelled(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for name in names for one in spellings(name)))


MEANINGS: Final[Mapping[str, tuple[Meaning, ...]]] = _meanings()
