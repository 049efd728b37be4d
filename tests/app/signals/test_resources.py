"""What services say of their own resources, from the bytes that they send to the columns of a minute."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.app.signals.rig import ALL, FIND, PAY, T0, THEIRS, SignalsRig
from tests.app.signals.sending import DELTA, HEAP, Sending, sending

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.verdicts import EmbeddedVerdicts
from foregate.app.analysis import Analysis
from foregate.app.roles.analyzer import _watches
from foregate.app.signals import Resources, resource_watch, resources
from foregate.app.signals.resource_names import MEANINGS, RESOURCES
from foregate.kernel.clock import ManualClock
from foregate.wire import TOPIC_POINTS

POOL = {"db.client.connection.pool.name": "main"}
HEAP_SERIES = 3  # of `heap`: a limit counts twice, for the heap and for the heap after its collection
USED, IDLE = {"db.client.connection.state": "used"}, {"db.client.connection.state": "idle"}


def heap(used: float, limit: float = 1_000.0) -> dict[str, Any]:
    return {"jvm.memory.used": [(used, HEAP)], "jvm.memory.limit": [(limit, HEAP)]}


def pool(used: float, limit: float = 20.0) -> dict[str, Any]:
    of_pool = [(used, {**POOL, **USED}), (limit - used, {**POOL, **IDLE})]
    return {"db.client.connection.count": of_pool, "db.client.connection.max": [(limit, POOL)]}


class World:
    """`left`: of payments (or another service of ours), in the minute `at` minutes after T0."""

    def __init__(self, folder: Path, **bounds: int) -> None:
        self.clock = ManualClock(T0)
        self.send = sending(folder, self.clock, Resources(**bounds))

    def otlp(self, instance: str, metrics: dict[str, Any], at_s: float = 1.0, **more: Any) -> None:
        self.clock.jump_to(max(self.clock.now(), T0 + at_s))
        self.send.otlp(more.pop("service", "payments"), instance, metrics, T0 + at_s, **more)

    def prometheus(self, metrics: dict[str, Any], at_s: float = 1.0, job: str = "payments") -> None:
        self.clock.jump_to(max(self.clock.now(), T0 + at_s))
        self.send.prometheus(job, "h1:9090", metrics, T0 + at_s)

    def left(self, at: int = 0, service: str = "payments", org: str = "default") -> dict[str, float]:
        found = self.send.resources.left(T0 + at * 60.0).get((org, "production", service), {})
        return {name.removesuffix("_left"): pytest.approx(value) for name, value in found.items()}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.send.bus.close()


def test_all_routes_of_a_service_have_what_it_says_and_nobody_else_has(tmp_path: Path) -> None:
    rig = SignalsRig(tmp_path)
    rig.clock.jump_to(T0 + 2.0)
    send = sending(tmp_path, rig.clock, rig.resources)
    with closing(send.bus), closing(rig.signals):
        workers = {"tomcat.thread.busy.count": 150, "tomcat.thread.limit": 200}
        send.otlp("payments", "p1", {**heap(600), **pool(15), **workers}, T0 + 1.0)
        send.otlp("search", "s1", heap(100), T0 + 1.0, org="others")  # a service of that name, of another tenant
        send.otlp("search", "s1", heap(100), T0 + 1.0, resource={"deployment.environment.name": "staging"})
        said = rig.minute()
        names = ("memory_left", "connections_left", "workers_left")
        assert [said[PAY][name] for name in names] == [pytest.approx(share) for share in (0.4, 0.25, 0.25)]
        assert not {*names} & (said[FIND].keys() | said[THEIRS].keys())
        assert rig.signals.minute(T0, [PAY, *ALL])[PAY]["memory_left"] == said[PAY]["memory_left"]


def test_prometheus_says_the_same_by_its_own_names(world: World) -> None:
    world.prometheus(
        {
            "jvm_memory_used_bytes": [(60, {"area": "heap", "id": "Eden"}), (300, {"area": "heap", "id": "Old"})],
            "jvm_memory_max_bytes": [(-1, {"area": "heap", "id": "Eden"}), (1_000, {"area": "heap", "id": "Old"})],
            "db_client_connection_count": [(15, {"db_client_connection_state": "used"})],  # of a name that "counts"
            "db_client_connection_max": 20,
            "tomcat_threads_busy_threads": 50,
            "tomcat_threads_config_max_threads": 200,
        }
    )
    assert world.left() == {"memory": 0.7, "connections": 0.25, "workers": 0.75}


def test_memory_is_as_a_minute_ended_and_of_the_process_with_the_least(world: World) -> None:
    for at_s, first, second in ((1.0, 900, 100), (31.0, 300, 200), (61.0, 990, 990)):
        world.otlp("p1", heap(first), at_s)
        world.otlp("p2", heap(second, 250), at_s)
    assert world.left(0) == {"memory": 0.2}
    assert world.left(1) == {"memory": 0.01}


def test_a_pool_is_as_full_as_on_average_and_the_scarcest_counts(world: World) -> None:
    for at_s, used in ((1.0, 20.0), (11.0, 20.0), (21.0, 5.0), (61.0, 20.0)):
        world.otlp("p1", pool(used), at_s)
        world.otlp("p2", {"hikaricp.connections.active": 6, "hikaricp.connections.max": 10}, at_s)
    assert world.left(0) == {"connections": 0.25}
    assert world.left(1) == {"connections": 0.0}


def test_a_heap_after_its_collection_says_more_than_before_it_and_both_more_than_the_container(world: World) -> None:
    container = {"k8s.container.memory_limit_utilization": 0.97}
    world.otlp("p1", container)
    assert world.left() == {"memory": 0.03}
    world.otlp("p1", {**heap(900), "jvm.memory.used_after_last_gc": [(0, HEAP)]})  # there was none yet
    assert world.left() == {"memory": 0.1}
    world.otlp("p1", {"jvm.memory.used_after_last_gc": [(200, HEAP)]})
    assert world.left() == {"memory": 0.8}
    world.otlp("p1", {"service.memory.utilization": 0.5})  # said on purpose
    assert world.left() == {"memory": 0.5}


def test_spaces_of_a_heap_are_one_and_the_largest_must_be_known(world: World) -> None:
    def space(name: str) -> dict[str, str]:
        return {**HEAP, "jvm.memory.pool.name": name}

    limits = [(100, space("Survivor")), (900, space("Old"))]
    world.otlp("p1", {"jvm.memory.limit": limits, "jvm.memory.used_after_last_gc": [(100, space("Survivor"))]})
    assert world.left() == {}
    world.otlp("p1", {"jvm.memory.used_after_last_gc": [(400, space("Old"))]})
    assert world.left() == {"memory": 0.5}


def test_a_limit_that_names_no_part_holds_for_all(world: World) -> None:
    used = [(30, {"go.memory.type": "stack"}), (50, {"go.memory.type": "other"})]
    world.otlp("p1", {"go.memory.used": used, "go.memory.limit": 100})
    assert world.left() == {"memory": 0.2}


def test_what_is_free_tells_the_limit_as_well(world: World) -> None:
    world.otlp("p1", {"container.memory.working_set": 30, "container.memory.available": 90})
    world.otlp("p1", {"puma_pool_capacity": 4, "puma_max_threads": 5})
    assert world.left() == {"memory": 0.75, "workers": 0.8}


def test_what_its_node_reports_of_a_container_is_its_services(world: World) -> None:
    world.otlp("", {"k8s.pod.memory_limit_utilization": 0.75}, service="", resource={
        "k8s.deployment.name": "payments", "k8s.pod.name": "payments-1"})  # fmt: skip
    assert world.left() == {"memory": 0.25}
    named = {"container": "search", "pod": "search-1"}
    for name, value in (("container_memory_working_set_bytes", 90), ("container_spec_memory_limit_bytes", 100)):
        world.prometheus({name: [(value, named)]}, job="kubelet")
    assert world.left(service="search") == {"memory": 0.1}
    for name, value in (("container_memory_working_set_bytes", 990), ("container_spec_memory_limit_bytes", 1_000)):
        world.prometheus(
            {name: [(value, {"id": "/kubepods"}), (value, {"container": "", "pod": "pay-1"})]}, job="kubelet"
        )
    assert world.left(service="") == {}  # of routes without a service it says nothing


@pytest.mark.parametrize(
    ("metrics", "more"),
    [
        (heap(600, 0), {}),
        (heap(600, 500), {}),
        (heap(600, 2.0**63), {}),
        ({"jvm.memory.used": [(600, HEAP)]}, {}),
        ({"jvm.memory.used": 600, "jvm.memory.limit": 1_000}, {}),  # of what, is not said
        ({"tomcat.threads.busy": 3, "tomcat.threads.config.max": 2**31 - 1}, {}),
        ({"executor.active": 1, "executor.pool.max": 1}, {}),  # a background pool that is busy bounds no request
        ({"service.workers.utilization": 75}, {}),  # in per cent
        ({"service.workers.utilization": -0.5}, {}),
        ({"v8js.memory.heap.used": 90, "v8js.memory.heap.limit": [(100, {"v8js.heap.space.name": "new_space"})]}, {}),
        (pool(15), {"temporality": DELTA}),
        (pool(15), {"temporality": 2, "monotonic": True}),
    ],
)
def test_nonsense_and_half_of_it_say_nothing(world: World, metrics: dict[str, Any], more: dict[str, Any]) -> None:
    world.otlp("p1", metrics, **more)
    assert world.left() == {}
    world.otlp("p2", heap(600))
    assert world.left() == {"memory": 0.4}  # and cost nothing else


def test_what_a_space_of_a_heap_was_given_is_no_limit_by_the_names_of_prometheus_either(world: World) -> None:
    limit = [(100, {"v8js_heap_space_name": "new_space"})]
    world.prometheus({"v8js_memory_heap_used_bytes": 90, "v8js_memory_heap_limit_bytes": limit})
    assert world.left() == {}
    world.prometheus({"v8js_memory_heap_limit_bytes": 900})
    assert world.left() == {"memory": 0.9}


def test_who_falls_silent_is_believed_for_three_minutes(world: World) -> None:
    world.otlp("p1", heap(600), 50.0)
    world.otlp("p2", heap(100), 50.0)
    assert [world.left(at) for at in (0, 3)] == [{"memory": 0.4}] * 2
    world.otlp("p2", heap(100), 190.0)
    assert [world.left(at) for at in (4, 5)] == [{"memory": 0.9}] * 2
    assert world.left(7) == {}


def test_a_late_sample_changes_no_minute_that_is_over_and_one_of_a_fast_clock_is_of_now(world: World) -> None:
    world.otlp("p1", heap(600), 65.0)
    world.otlp("p1", heap(100), 5.0)
    assert world.left(1) == {"memory": 0.4}
    world.clock.jump_to(T0 + 130.0)
    world.send.otlp("payments", "p1", heap(200), T0 + 1_000.0)
    assert world.left(2) == {"memory": 0.8}


def test_after_a_clock_was_set_back_what_was_ahead_is_forgotten(world: World) -> None:
    world.otlp("p1", heap(600), 3_600.0)
    assert world.left(60) == {"memory": 0.4}
    world.clock.jump_to(T0 + 60.0)
    world.left(0)
    world.send.resources.learn([], T0)
    world.send.otlp("payments", "p1", heap(200), T0 + 61.0)
    assert world.left(1) == {"memory": 0.8}


def test_after_a_clock_was_set_back_what_is_sent_is_still_read(world: World) -> None:
    world.clock.jump_to(T0 + 7_200.0)
    world.send.again()
    world.clock.jump_to(T0 + 60.0)
    world.send.otlp("payments", "p1", heap(200), T0 + 61.0)
    assert world.left(1) == {"memory": 0.8}


def test_one_organisations_many_series_leave_room_for_others_and_it_is_said(tmp_path: Path) -> None:
    rig = SignalsRig(tmp_path)
    send = Sending(
        EmbeddedBus(tmp_path / "bus.sqlite", rig.clock), rig.clock, Resources(series_of_org_max=2 * HEAP_SERIES)
    )
    rig.resources = send.resources
    rig.again()
    with closing(send.bus), closing(rig.signals):
        for at in (0, 1):
            rig.clock.jump_to(T0 + at * 60.0 + 10.0)
            for instance, used in (("p1", 600), ("p2", 700), ("p3", 999)):
                send.otlp("payments", instance, heap(used), rig.clock.now())
            send.otlp("billing", "b1", heap(500), rig.clock.now(), org="others")
            said = rig.minute(at)
            assert said[PAY]["memory_left"] == pytest.approx(0.3)  # of those that came first
            assert said[THEIRS]["memory_left"] == pytest.approx(0.5)
        rig.minute(2)
        assert rig.said() == [("signal_unknown", "some resources"), ("signal_known_again", "some resources")]


def test_a_service_has_so_many_processes_and_a_process_so_many_series(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "PROCESSES_MAX", 2)
    monkeypatch.setattr(resources, "SERIES_OF_PROCESS_MAX", HEAP_SERIES + 1)
    for instance, used in (("p1", 600), ("p2", 700), ("p3", 999)):
        world.otlp(instance, heap(used))
    assert (world.send.resources.left_out, world.left()) == (HEAP_SERIES, {"memory": 0.3})
    world.otlp("p2", {"service.workers.utilization": 0.5})
    world.otlp("p2", {"service.connections.utilization": 0.5})
    assert (world.send.resources.left_out, world.left()) == (1, {"memory": 0.3, "workers": 0.5})
    assert world.left(4) == {}  # who fell silent makes room
    for instance in ("p4", "p5"):
        world.otlp(instance, heap(100), 300.0)
    assert world.left(5) == {"memory": 0.9}


def test_a_new_analyzer_knows_at_once_what_was_said_in_the_last_minutes(world: World) -> None:
    world.otlp("p1", heap(900), 0.0)
    world.otlp("p2", heap(300), 300.0)
    world.send.again()
    world.send.watch.step()
    assert world.left(5) == {"memory": 0.7}


def test_who_is_far_behind_goes_on_with_the_newest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource_watch, "BEHIND_BATCHES_MAX", 3)
    watch, idle = world.send.watch, resource_watch.ResourceWatch(world.send.bus, Resources(), world.clock)
    for at_s in range(1, 6):
        world.otlp("p1", heap(600), float(at_s))
    idle.step()
    assert (watch.skipped_batches, idle.skipped_batches) == (0, 5)
    world.send.watch = idle
    world.otlp("p1", heap(600), 7.0)
    assert idle._resources.left(T0)


def test_a_batch_that_cannot_be_read_costs_no_other(world: World) -> None:
    world.send.bus.append(TOPIC_POINTS, 0, b"\xc1 no points", 1, producer="x", sequence=1)
    world.otlp("p1", heap(600))
    assert world.left() == {"memory": 0.4}


def test_the_analyzer_watches_them(world: World, tmp_path: Path) -> None:
    found, log = Resources(), structlog.get_logger()
    analysis: Analysis = None  # type: ignore[assignment]  # asked by other watches only
    rig = SignalsRig(tmp_path / "other")
    with closing(rig.signals), closing(EmbeddedVerdicts(tmp_path / "abuse.sqlite")) as store:
        make, _ = _watches(rig.data, world.clock, analysis, found, log)["resources"]
        watch = make(world.send.bus, store)
        world.otlp("p1", heap(600))
        watch.step()
        assert found.left(T0) == {("default", "production", "payments"): {"memory_left": pytest.approx(0.4)}}


def test_names_are_found_as_both_ways_of_writing_them_have_it() -> None:
    written = {
        "jvm.memory.used",
        "jvm_memory_used_bytes",
        "hikaricp_connections_max",
        "tomcat_threads_config_max_threads",
    }
    written |= {"k8s_pod_memory_limit_utilization_ratio", "service_workers_utilization", "jvm_gc_max_data_size_bytes"}
    assert written <= MEANINGS.keys()


def test_the_guide_has_every_name() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "deployments.md").read_text()
    named = [metric.name for resource in RESOURCES for metric in resource.metrics if f"`{metric.name}`" not in guide]
    assert named == []
