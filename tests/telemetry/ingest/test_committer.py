"""The group commit: one durable step for all that wait, each told what became of it."""

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.telemetry.ingest.world import FailingBus

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.kernel.clock import SystemClock
from foregate.ports.bus import Bus
from foregate.telemetry.ingest.committer import Committer, Round
from foregate.telemetry.ingest.rounds import Outcome, Part, Post

CLOCK = SystemClock()
WAIT_S = 10.0


class Bench:
    """A committer whose bus waits until it is let go."""

    def __init__(self, bus: FailingBus) -> None:
        self.bus = bus
        self.rounds: list[Round] = []
        self.outcomes: dict[str, Outcome] = {}
        self.entered, self.let_go = threading.Semaphore(0), threading.Semaphore(0)
        self.bus.gate = self._gate
        self.opened = True
        self.done = threading.Semaphore(0)
        self.refusal = ""
        self.committer = Committer(
            self._open,
            self._deliver,
            CLOCK,
            lambda what, facts: None,
            producer="p",
            batch_items=500,
            refuse=lambda: self.refusal,
        )
        self.committer.start()

    def _open(self) -> Bus:
        if not self.opened:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.bus  # type: ignore[return-value]

    def _gate(self) -> None:
        self.entered.release()
        assert self.let_go.acquire(timeout=WAIT_S)

    def _deliver(self, done: Round) -> None:
        self.rounds.append(done)
        for post, outcome in done.settled:
            post.settle(outcome)
            self.done.release()

    def submit(self, name: str, once: str = "", items: int = 1) -> None:
        part = Part("events", "org", "service", b"\x01" * items, items)
        self.committer.submit(Post((part,), once, items, lambda outcome: self.outcomes.__setitem__(name, outcome)))

    def settled(self, count: int) -> None:
        for _ in range(count):
            assert self.done.acquire(timeout=WAIT_S)

    @property
    def items(self) -> list[int]:
        return [batch.items for at in range(4) for batch in self.bus.read("events", at, -1, 100)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(FailingBus(EmbeddedBus(tmp_path / "bus.sqlite", CLOCK)))
    yield made
    made.let_go.release(1_000)
    if made.committer._thread.is_alive():
        made.committer.stop()


def test_what_comes_while_one_step_is_under_way_shares_the_next(bench: Bench) -> None:
    bench.submit("first")
    assert bench.entered.acquire(timeout=WAIT_S)
    for number in range(50):
        bench.submit(f"later {number}")
    bench.let_go.release(2)
    bench.settled(51)
    assert [len(done.settled) for done in bench.rounds] == [1, 50]
    assert sorted(bench.items) == [1, 50]
    assert set(bench.outcomes.values()) == {Outcome("")}


def test_nobody_is_told_before_the_bus_has_stored(bench: Bench) -> None:
    bench.submit("one")
    assert bench.entered.acquire(timeout=WAIT_S)
    assert bench.outcomes == {}
    bench.let_go.release()
    bench.settled(1)
    assert bench.outcomes == {"one": Outcome("")}


def test_the_same_id_twice_at_the_same_time_is_stored_once(bench: Bench) -> None:
    bench.submit("block")
    assert bench.entered.acquire(timeout=WAIT_S)
    for number in range(3):
        bench.submit(f"copy {number}", once="id", items=7)
    bench.submit("other", once="another id", items=5)
    bench.let_go.release(10)
    bench.settled(5)
    assert sorted(bench.items) == [1, 5, 7]
    fresh = [bench.outcomes[f"copy {number}"].fresh for number in range(3)]
    assert fresh == [True, False, False]
    assert bench.outcomes["other"].fresh


def test_a_failure_is_told_to_all_of_its_round_and_the_next_one_is_tried(bench: Bench) -> None:
    bench.let_go.release(10)
    bench.bus.failure = OSError(errno.ENOSPC, "No space left on device")
    bench.submit("lost")
    bench.settled(1)
    assert bench.outcomes["lost"].code == "bus_unavailable"
    assert not bench.committer.ready
    bench.bus.failure = None
    bench.submit("good")
    bench.settled(1)
    assert bench.outcomes["good"] == Outcome("")
    assert bench.committer.ready
    assert bench.items == [1]


def test_while_the_disk_is_nearly_full_nothing_is_stored(bench: Bench) -> None:
    bench.let_go.release(10)
    bench.refusal = "12 MB are free"
    bench.submit("refused")
    bench.settled(1)
    bench.refusal = ""
    bench.submit("good")
    bench.settled(1)
    assert (bench.outcomes["refused"].code, bench.outcomes["good"].code, bench.items) == ("storage_full", "", [1])


def test_a_mistake_of_ours_ends_no_thread(bench: Bench) -> None:
    bench.let_go.release(10)
    part = Part("events", "org", "service", "no bytes", 1)  # type: ignore[arg-type]
    bench.committer.submit(Post((part,), "", 1, lambda outcome: bench.outcomes.__setitem__("bad", outcome)))
    bench.settled(1)
    bench.submit("good")
    bench.settled(1)
    assert (bench.outcomes["bad"].code, bench.outcomes["good"].code) == ("internal", "")


def test_stopping_stores_what_was_submitted(bench: Bench) -> None:
    bench.let_go.release(1_000)
    for number in range(100):
        bench.submit(f"post {number}", once=f"id {number % 40}")
    bench.committer.stop()
    assert len(bench.outcomes) == 100
    assert {outcome.code for outcome in bench.outcomes.values()} == {""}
    assert sum(bench.outcomes[f"post {number}"].fresh for number in range(100)) == 40


@pytest.mark.parametrize("error", [OSError("locked"), ImportError("no such driver")])
def test_a_bus_that_cannot_be_opened_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("foregate.telemetry.ingest.committer._REOPEN_S", 0.05)
    bus = FailingBus(EmbeddedBus(tmp_path / "bus.sqlite", CLOCK))
    attempts = iter([error, error, None])
    opened = threading.Event()

    def open_bus() -> Bus:
        if (failure := next(attempts)) is not None:
            raise failure
        opened.set()
        return bus  # type: ignore[return-value]

    committer = Committer(open_bus, lambda done: None, CLOCK, lambda what, facts: None, producer="p", batch_items=500)
    committer.start()
    assert not committer.ready
    assert opened.wait(WAIT_S)
    committer.stop()
