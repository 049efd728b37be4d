"""Machines of one group share the partitions; when one is killed the others go on where it had stored."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
import pytest
from tests.ports.kafka_server import KafkaServer

from foregate.adapters.distributed.kafka import KafkaBus
from foregate.kernel.clock import SystemClock
from foregate.wire.bus import Kafka

KILLS = int(os.environ.get("KILLS", "1"))
READER = Path(__file__).with_name("read_shared.py")


class Machines:
    def __init__(self, kafka: Kafka, path: Path) -> None:
        self._arguments = [msgspec.json.encode(kafka).decode(), str(path)]
        self._alive: list[subprocess.Popen[str]] = []

    def start(self) -> None:
        name = f"machine {time.monotonic()}"
        self._alive.append(
            subprocess.Popen([sys.executable, str(READER), *self._arguments, name], stdout=subprocess.PIPE, text=True)
        )

    def wait_for_partitions(self) -> None:
        """Of the youngest."""
        assert self._alive[-1].stdout is not None
        assert self._alive[-1].stdout.readline()

    def kill_the_oldest(self) -> None:
        machine = self._alive.pop(0)
        machine.kill()
        machine.wait()
        assert machine.stdout is not None
        machine.stdout.close()

    def close(self) -> None:
        while self._alive:
            self.kill_the_oldest()


def eventually(condition: Callable[[], bool], timeout_s: float = 40.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.05)


def test_two_machines_store_every_item_once_though_one_of_them_is_killed(kafka: KafkaServer, tmp_path: Path) -> None:
    settings, path = kafka.fresh(group="machines"), tmp_path / "shared.sqlite"
    with closing(KafkaBus(settings, SystemClock())) as bus, closing(Machines(settings, path)) as machines:
        sent = 0

        def send(batches: int) -> None:
            nonlocal sent
            for _ in range(batches):
                payload = msgspec.msgpack.encode(list(range(sent, sent + 10)))
                bus.append("events", sent // 10 % 4, payload, 10, producer="p", sequence=sent + 1)
                sent += 10

        def stored() -> tuple[int, int]:
            with closing(sqlite3.connect(path, timeout=30)) as db:
                try:
                    return db.execute("SELECT count(*), count(DISTINCT item) FROM items").fetchone()  # type: ignore[no-any-return]
                except sqlite3.OperationalError:
                    return 0, 0

        def readers() -> int:
            with closing(sqlite3.connect(path, timeout=30)) as db:
                return len(db.execute("SELECT DISTINCT reader FROM items").fetchall())

        machines.start()
        for kills in range(KILLS):
            machines.start()
            send(200)
            machines.wait_for_partitions()
            send(200)
            eventually(lambda before=kills: readers() == before + 2)  # both are at work
            send(200)
            machines.kill_the_oldest()
            send(200)
            eventually(lambda: stored()[1] == sent)
        assert stored() == (sent, sent)


def test_without_a_group_everybody_reads_all(kafka: KafkaServer) -> None:
    settings = kafka.fresh()
    for _ in range(2):
        with closing(KafkaBus(settings, SystemClock(), reader="items")) as bus:
            assert list(bus.assigned("events")) == [0, 1, 2, 3]


def test_a_broker_that_is_not_there_is_an_os_error() -> None:
    with pytest.raises(OSError, match=r"Kafka at 127\.0\.0\.1:9: .*Connection refused"):
        KafkaBus(Kafka(brokers=("127.0.0.1:9",), timeout_s=1.0), SystemClock())


def test_a_machine_has_the_same_partitions_of_every_topic(kafka: KafkaServer) -> None:
    """Else two of them would change the same windows, one by events of now and one by those of the past."""
    settings = kafka.fresh(group="same")
    with ExitStack() as stack:
        machines = [stack.enter_context(closing(KafkaBus(settings, SystemClock(), reader="windows"))) for _ in range(4)]

        def shares(topic: str) -> list[Sequence[int]]:
            return [machine.assigned(topic) for machine in machines]

        def settled(topic: str) -> bool:
            """Every machine has joined: until then the group is divided anew, between two questions, too."""
            return sorted(shares(topic)) == [(0,), (1,), (2,), (3,)]

        eventually(lambda: settled("events") and settled("spans"))
        assert shares("events") == shares("spans")
