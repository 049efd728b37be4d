"""The analyzer's canaries: configured in the snapshot, judged by events, rolled back for the workers, resumed."""

from pathlib import Path

import msgspec
import structlog

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.verdicts import EmbeddedVerdicts
from foregate.app.canaries import Canaries
from foregate.app.paths import DataDir
from foregate.app.verdicts import published
from foregate.kernel.clock import ManualClock
from foregate.wire import TOPIC_EVENTS
from foregate.wire.canary import Canary
from foregate.wire.decision import AuditLine
from foregate.wire.event import RequestEvent
from foregate.wire.match import Rule
from foregate.wire.snapshot import Route, Snapshot, Weighted, canaries_in, encode_snapshot

LOG = structlog.get_logger()


def write(data: DataDir, canary: Canary) -> None:
    pay = Route("/pay", Rule("/pay"), (Weighted("pay", 95_000), Weighted("next", 5_000)), canary=canary)
    other = Route("/b", Rule("/b"), (Weighted("pay"),))
    data.snapshot.write_bytes(encode_snapshot(Snapshot("0", (), (), (other, pay, other))))


def events(at_s: float, service: str, *, failed: int, of: int) -> list[RequestEvent]:
    more = (5.0, 1.0, 0, 1, "", "production", "", "", "", 1, "none", "closed", "none", "", "", 1, 5.0)
    return [
        RequestEvent(at_s, "org", service, "/pay", "GET", 500 if number < failed else 200, *more)  # type: ignore[arg-type]
        for number in range(of)
    ]


def came(bus: EmbeddedBus, clock: ManualClock, *, failed: int) -> None:
    """Fifty requests of the canary, and nine hundred of the other, have reached the bus."""
    found = events(clock.now(), "pay", failed=1, of=900) + events(clock.now(), "next", failed=failed, of=50)
    payload = msgspec.msgpack.encode(found)
    sequence = bus.last_offset(TOPIC_EVENTS, 0) + 2
    bus.append(TOPIC_EVENTS, 0, payload, len(found), producer="p", sequence=sequence)


def test_one_that_fails_is_out_for_the_workers_until_it_is_resumed_or_set_otherwise(tmp_path: Path) -> None:
    data, clock = DataDir(tmp_path), ManualClock()
    write(data, Canary("next"))
    store = EmbeddedVerdicts(tmp_path / "verdicts.sqlite")
    bus = EmbeddedBus(data.bus, clock)
    canaries = Canaries(bus, store, data, clock, LOG)
    canaries.step()
    came(bus, clock, failed=20)
    canaries.step()
    (out,) = published(data).canaries
    assert (out.route, out.service) == ("/pay", "next")
    assert "40.0% of 50 requests failed" in out.reason
    version = store.version()
    canaries.step()
    assert store.version() == version  # it is said once

    store.resume("/pay", AuditLine(clock.now(), "resume", "/pay", "", "cli"))
    canaries.step()  # what it did before is forgotten …
    assert store.verdicts(clock.now()).canaries == ()
    other = Canaries(bus, store, data, clock, LOG)  # … by an analyzer that has been restarted as well
    other.step()
    other.step()
    assert store.verdicts(clock.now()).canaries == ()
    clock.advance(1.0)
    came(bus, clock, failed=20)
    canaries.step()  # … and what it does from then on is not
    assert len(store.verdicts(clock.now()).canaries) == 1

    write(data, Canary("next", weight=1))
    canaries.step()
    came(bus, clock, failed=30)
    canaries.step()
    (again,) = store.verdicts(clock.now()).canaries
    assert "60.0%" in again.reason
    bus.close()
    store.close()


def test_without_a_snapshot_or_canaries_nothing_is_asked_of_the_store(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    store = EmbeddedVerdicts(tmp_path / "verdicts.sqlite")
    store.close()  # whoever asks it now fails
    bus = EmbeddedBus(data.bus, ManualClock())
    canaries = Canaries(bus, store, data, ManualClock(), LOG)
    canaries.step()
    data.snapshot.write_bytes(encode_snapshot(Snapshot("0")))
    canaries.step()
    bus.close()


def test_only_routes_with_canaries_are_read_from_a_snapshot(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    write(data, Canary("next"))
    assert canaries_in(data.snapshot.read_bytes()) == [("/pay", "pay", Canary("next"))]
    assert canaries_in(encode_snapshot(Snapshot("0"))) == []
