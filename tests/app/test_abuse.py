"""The analyzer's watch on real stores: from the bus to verdicts.json, across restarts, undos and changed settings."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from bench.attacks import event
from structlog.testing import CapturingLogger

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.verdicts import EmbeddedVerdicts
from foregate.app.abuse import FRESH_S, OVERVIEW_EVERY_S, AbuseWatch
from foregate.app.abuse_events import BEHIND_BATCHES_MAX, AbuseEvents
from foregate.app.block_desk import BlockDesk
from foregate.app.paths import DataDir
from foregate.app.verdicts import publish, published
from foregate.kernel.clock import ManualClock
from foregate.kernel.errors import ForegateError
from foregate.wire import TOPIC_EVENTS
from foregate.wire.abuse import Abuse
from foregate.wire.event import RequestEvent, encode_event
from foregate.wire.snapshot import Snapshot, encode_snapshot

BLOCKING = Abuse(mode="block", allow_networks=("10.0.0.0/8",))


class Machine:
    """One data directory, one clock, and the watch of the moment."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.data = DataDir(folder)
        self.log = CapturingLogger()
        self.sequence = 0
        self.settings = BLOCKING
        self.configure(BLOCKING)
        self.open()

    def open(self) -> None:
        self.bus = EmbeddedBus(self.data.bus, self.clock)
        self.store = EmbeddedVerdicts(self.data.abuse)
        self.watch = AbuseWatch(self.bus, self.store, self.data, self.clock, self.log)  # type: ignore[arg-type]
        self.desk = BlockDesk(self.data, self.store, self.clock, lambda: self.settings)

    def close(self) -> None:
        self.bus.close()
        self.store.close()

    def restart(self) -> None:
        self.close()
        self.open()

    def configure(self, settings: Abuse) -> None:
        self.settings = settings
        self.data.snapshot.write_bytes(encode_snapshot(Snapshot("v", abuse=settings)))

    def put(self, events: list[RequestEvent]) -> None:
        payload = b"\xdd" + len(events).to_bytes(4, "big") + b"".join(map(encode_event, events))
        self.sequence += 1
        self.bus.append(TOPIC_EVENTS, 0, payload, len(events), producer="w", sequence=self.sequence)

    def attack(self, count: int = 60, client: str = "192.0.2.1") -> None:
        now_s = self.clock.now()
        self.put([event(now_s - 2.0 + n * 1.9 / count, client, f"/x{n}.php", 404, "") for n in range(count)])

    @property
    def blocked(self) -> dict[str, float]:
        """As the workers are told: subject → for how long."""
        return {block.subject: block.until_s - self.clock.now() for block in published(self.data).blocks}

    @property
    def logged(self) -> list[str]:
        return [call.args[0] for call in self.log.calls]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.close()


def test_an_attack_on_the_bus_is_a_block_in_the_file_after_one_step(machine: Machine) -> None:
    machine.attack()
    machine.watch.step()
    assert machine.blocked == {"ip:192.0.2.1": 60.0}
    (decision,) = machine.store.recent(10)
    assert (decision.rule, decision.effect, decision.times) == ("sweep", "block", 1)
    call = next(call for call in machine.log.calls if call.args[0] == "abuse_blocked")
    assert call.kwargs["reason"] == decision.reason


def test_what_was_decided_survives_a_restart_and_counts_against_the_next_time(machine: Machine) -> None:
    machine.attack()
    machine.watch.step()
    machine.clock.advance(FRESH_S + 1.0)
    machine.data.verdicts.unlink()
    machine.restart()
    assert machine.blocked == {"ip:192.0.2.1": pytest.approx(29.0)}
    machine.watch.step()
    assert len(machine.store.recent(10)) == 1  # the same events, read again to warm up, are no new evidence
    machine.clock.advance(60.0)
    machine.attack(20)
    machine.watch.step()
    assert machine.blocked == {"ip:192.0.2.1": 240.0}


def test_after_a_restart_what_is_long_ago_blocks_nobody(machine: Machine) -> None:
    machine.attack()
    machine.clock.advance(FRESH_S + 5.0)
    machine.restart()
    machine.watch.step()
    assert machine.blocked == {}


def test_observing_tells_the_log_and_no_worker(machine: Machine) -> None:
    machine.configure(Abuse())
    machine.attack()
    machine.watch.step()
    assert machine.blocked == {}
    assert "abuse_observed" in machine.logged
    machine.attack()
    machine.watch.step()
    assert machine.logged.count("abuse_observed") == 1  # once per block that would be


def test_the_allow_list_wins(machine: Machine) -> None:
    machine.attack(client="10.1.2.3")
    machine.attack(client="192.0.2.7")
    machine.watch.step()
    assert set(machine.blocked) == {"ip:192.0.2.7"}
    machine.configure(msgspec.structs.replace(BLOCKING, allow_networks=("192.0.2.0/24",)))
    machine.attack(client="192.0.2.8")
    machine.watch.step()
    assert set(machine.blocked) == {"ip:192.0.2.7"}  # which the workers let in, by their own list


def test_turned_off_it_reads_nothing_and_blocks_by_hand_stay(machine: Machine) -> None:
    machine.configure(Abuse(mode="off"))
    machine.attack()
    machine.watch.step()
    machine.desk.add("192.0.2.9", 60.0, "", "cli")
    machine.watch.step()
    assert set(machine.blocked) == {"ip:192.0.2.9"}
    machine.configure(BLOCKING)
    machine.watch.step()
    assert set(machine.blocked) == {"ip:192.0.2.9"}


def test_who_was_undone_is_left_alone_and_judged_again_afterwards(machine: Machine) -> None:
    machine.attack()
    machine.watch.step()
    (decision,) = machine.desk.in_force()
    machine.desk.undo(decision.id, "a partner's test", "cli")
    assert machine.blocked == {}
    machine.watch.step()
    machine.clock.advance(decision.until_s - machine.clock.now() + 1.0)  # as if nobody had undone it
    machine.attack()
    machine.watch.step()
    assert machine.blocked == {}
    machine.clock.advance(BLOCKING.leave_alone_s + 1.0)
    machine.attack()
    machine.watch.step()
    assert machine.blocked == {"ip:192.0.2.1": 60.0}  # as if for the first time
    assert [(line.action, line.note) for line in machine.desk.audit(10)] == [("undo", "a partner's test")]


def test_an_undo_needs_no_analyzer_and_what_it_writes_is_never_older(machine: Machine) -> None:
    machine.attack()
    machine.watch.step()
    (decision,) = machine.desk.in_force()
    machine.desk.undo(decision.id, "", "cli")
    version = published(machine.data).version
    publish(machine.data, machine.store, machine.clock)
    assert (published(machine.data).version, machine.blocked) == (version, {})
    with pytest.raises(ForegateError, match="not_found"):
        machine.desk.undo(decision.id, "", "cli")


def test_the_overview_and_the_visitors_outlive_a_restart(machine: Machine) -> None:
    now_s = machine.clock.now()
    machine.put([event(now_s - 0.4, f"192.0.2.{n % 200}", "/", 200, "/", "k1") for n in range(1_000)])
    machine.watch.step()
    machine.clock.advance(OVERVIEW_EVERY_S)
    machine.watch.step()
    found = machine.desk.overview()
    assert found is not None
    assert abs(found.visitors - 200) <= 5
    assert [(each.subject, each.requests) for each in found.top_keys] == [("key:k1", 1_000)]
    assert (found.mode, found.events, found.clients) == ("block", 1_000, 201)
    machine.restart()
    assert abs(machine.watch.overview().visitors - 200) <= 5


def test_who_falls_behind_goes_on_with_the_newest_and_says_so(tmp_path: Path) -> None:
    clock = ManualClock()
    with closing(EmbeddedBus(tmp_path / "bus.sqlite", clock, partitions=1)) as bus:
        events = AbuseEvents(bus)
        assert events.read() == []
        assert events.warm
        payload = b"\x91" + encode_event(event(clock.now(), "192.0.2.1", "/", 200))
        for number in range(BEHIND_BATCHES_MAX + 1):
            bus.append(TOPIC_EVENTS, 0, payload, 1, producer="w", sequence=number)
        assert events.read() == []
        assert events.skipped_batches == BEHIND_BATCHES_MAX + 1
        bus.append(TOPIC_EVENTS, 0, payload, 1, producer="w", sequence=10_000)
        assert len(events.read()) == 1


def test_what_others_have_sent_in_blocks_nobody(machine: Machine) -> None:
    now_s = machine.clock.now()
    sent = [event(now_s - 2.0 + n / 50, "192.0.2.1", f"/x{n}.php", 404, "") for n in range(60)]
    machine.put([msgspec.structs.replace(one, source="telemetry") for one in sent])
    machine.watch.step()
    assert machine.blocked == {}
    machine.attack()
    machine.watch.step()
    assert list(machine.blocked)
