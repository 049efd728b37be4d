"""What waits is bounded: beyond it senders are told when to come again, before their bodies are read."""

import asyncio
import errno
import gzip
import random
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.telemetry.ingest.world import PEPPER, SECRET, Answer, World, item, key, run, world

from foregate.kernel.errors import ForegateError
from foregate.kernel.secrets import hash_key
from foregate.telemetry.ingest import answers, budget, read_counts, server
from foregate.telemetry.ingest.counts import Taken
from foregate.telemetry.ingest.reading import Reader

HEAD = (
    f"POST /v1/telemetry HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nx-api-key: {SECRET}\r\n"
).encode()


class Held:
    """A bus that waits until it is let go."""

    def __init__(self, running: World) -> None:
        self._go = threading.Event()
        self.entered = threading.Event()
        running.bus.gate = self._wait

    def _wait(self) -> None:
        self.entered.set()
        assert self._go.wait(20.0)

    def let_go(self) -> None:
        self._go.set()


async def raw(running: World, data: bytes, *, end: bool = False) -> bytes:
    """Send it on a connection of its own; all that comes back until the server closes, or one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(data)
    if end:
        writer.write_eof()
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return head


def test_beyond_the_items_that_may_wait_posts_are_refused_unread_and_accepted_when_there_is_room(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with world(tmp_path, buffer_items_max=1_000) as running:
            bus = Held(running)
            waiting = asyncio.gather(*(running.post([item() for _ in range(500)]) for _ in range(2)))
            while running.server._intake.budget.items < 1_000:
                await asyncio.sleep(0.01)
            # Only the head is sent: the refusal does not wait for a body.
            head = await raw(running, HEAD + b"content-length: 1000000\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 429 ")
            assert b"retry-after: 1\r\n" in head
            bus.let_go()
            assert [answer.status for answer in await waiting] == [200, 200]
            assert (await running.post([item()])).status == 200
            assert len(running.stored()) == 1_001
            assert _nothing_held(running)

    run(main)


def test_a_post_that_finds_room_but_not_enough_is_shed_and_counted(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path, buffer_items_max=1_000) as running:
            bus = Held(running)
            first = asyncio.gather(running.post([item() for _ in range(900)]))
            while not running.server._intake.budget.items:
                await asyncio.sleep(0.01)
            shed = await running.post([item() for _ in range(200)])
            assert (shed.status, shed.json["code"], shed.headers["retry-after"]) == (429, "buffer_full", "1")
            bus.let_go()
            assert (await first)[0].status == 200
            assert read_counts(running.blocks)["events"] == Taken(1_100, 0, 0, 200)
            assert (await running.post([item() for _ in range(1_001)])).status == 413
            assert len(running.stored()) == 900

    run(main)


def test_bytes_and_posts_under_way_are_bounded(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            held = running.server._intake.budget
            held._bytes_max, held._requests_max = 100_000, 3
            assert (await raw(running, HEAD + b"content-length: 100001\r\n\r\n")).startswith(b"HTTP/1.1 429 ")
            # A chunked body says nothing of its size: it is refused when it has become too large.
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(HEAD + b"transfer-encoding: chunked\r\n\r\n")
            for _ in range(60):
                writer.write(b"800\r\n" + b" " * 2_048 + b"\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 429 ")
            writer.close()
            slow = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(3)]
            for _, each in slow:
                each.write(HEAD + b"content-length: 1000\r\n\r\n[")
            while held.requests < 3:
                await asyncio.sleep(0.01)
            assert (await running.post([item()])).status == 429
            for _, each in slow:
                each.close()
            while held.requests:
                await asyncio.sleep(0.01)
            assert (await running.post([item()])).status == 200
            assert _nothing_held(running)

    run(main)


def test_of_several_keys_none_holds_more_than_half(tmp_path: Path) -> None:
    other = "fg_other_0123456789abcdefghi"
    keys = key(), key(id="other", hash=hash_key(other, PEPPER))

    async def main() -> None:
        async with world(tmp_path, *keys) as running:
            held = running.server._intake.budget
            held._bytes_max, held._requests_max = 100_000, 4
            drip = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(2)]
            for _, each in drip:
                each.write(HEAD + b"content-length: 25000\r\n\r\n[" + b" " * 24_000)
            while held.held_bytes < 48_002:
                await asyncio.sleep(0.01)
            assert (await running.post([item()])).status == 429
            assert (await running.post([item() for _ in range(200)], secret=other)).status == 200
            for _, each in drip:
                each.close()
            while held.requests:
                await asyncio.sleep(0.01)
            assert (await raw(running, HEAD + b"content-length: 50001\r\n\r\n")).startswith(b"HTTP/1.1 429 ")
            running.server.apply(keys[:1])
            assert (await raw(running, HEAD + b"expect: 100-continue\r\ncontent-length: 50001\r\n\r\n")).startswith(
                b"HTTP/1.1 100 "
            )

    run(main)


def test_bodies_are_bounded_as_sent_and_as_unpacked(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path, body_bytes_max=65_536) as running:
            assert (await raw(running, HEAD + b"content-length: 65537\r\n\r\n")).startswith(b"HTTP/1.1 413 ")
            chunks = b"".join(b"1000\r\n" + b" " * 4_096 + b"\r\n" for _ in range(17))
            assert (await raw(running, HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunks)).startswith(
                b"HTTP/1.1 413 "
            )
            bomb = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
            assert len(bomb) < 65_536
            answer = await running.post(bomb, content_encoding="gzip")
            assert (answer.status, answer.json["code"]) == (413, "body_too_large")
            assert (await running.post([item()])).status == 200
            assert _nothing_held(running)

    run(main)


def test_a_failing_bus_acknowledges_nothing_and_everything_goes_on_afterwards(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            running.bus.failure = OSError(errno.ENOSPC, "No space left on device")
            answers = await asyncio.gather(*(running.post([item()]) for _ in range(20)))
            assert {(one.status, one.json["code"]) for one in answers} == {(503, "bus_unavailable")}
            assert {one.headers["retry-after"] for one in answers} == {"1"}
            assert (await running.ask("GET", "/health/ready")).status == 503
            otlp = await running.post({"resourceSpans": []}, "/v1/traces")
            assert otlp.status == 200  # it holds nothing
            running.bus.failure = None
            assert (await running.post([item()])).status == 200
            assert (await running.ask("GET", "/health/ready")).status == 200
            assert len(running.stored()) == 1
            assert read_counts(running.blocks)["events"] == Taken(21, 0, 0, 20)
            assert _nothing_held(running)

    run(main)


def test_what_was_not_stored_does_not_use_up_the_rate_of_its_key(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path, key(items_per_s=0.1)) as running:
            running.bus.failure = OSError(errno.ENOSPC, "No space left on device")
            assert (await running.post([item()])).status == 503
            running.bus.failure = None
            assert (await running.post([item()], idempotency_key="1")).status == 200
            assert (await running.post([item()])).status == 429
            assert len(running.stored()) == 1

    run(main)


def test_an_answer_that_cannot_be_given_keeps_no_other_from_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept, calls = answers.accept, iter(range(1_000))

    def first_fails(*given: Any) -> None:
        if next(calls) == 0:
            raise RuntimeError("no answer")
        accept(*given)

    async def main() -> None:
        async with world(tmp_path) as running:
            monkeypatch.setattr(answers, "accept", first_fails)
            running.mistakes = 1
            bus = Held(running)
            posts = asyncio.gather(*(running.post([item()]) for _ in range(10)), return_exceptions=True)
            while running.server._intake.budget.items < 10:
                await asyncio.sleep(0.01)
            bus.let_go()
            done = await posts
            assert [one.status for one in done if isinstance(one, Answer)] == [200] * 9
            assert sum(isinstance(one, ForegateError) for one in done) == 1  # its connection was broken off
            assert _nothing_held(running)
            assert len(running.stored()) == 10

    run(main)


def test_a_nearly_full_disk_refuses_before_the_body(tmp_path: Path) -> None:
    reasons = ["12 MB are free"]

    async def main() -> None:
        async with world(tmp_path, refuse=lambda: reasons[0]) as running:
            head = await raw(running, HEAD + b"content-length: 1000000\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 30\r\n" in head
            assert (await running.post([item()])).json["detail"] == "12 MB are free"
            reasons[0] = ""
            assert (await running.post([item()])).status == 200

    run(main)


def test_who_leaves_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            for _ in range(20):
                _, writer = await asyncio.open_connection("127.0.0.1", running.port)
                writer.write(HEAD + b"content-length: 1000\r\n\r\n[" + b" " * 500)
                await writer.drain()
                writer.transport.abort()
            bus = Held(running)
            _, writer = await asyncio.open_connection("127.0.0.1", running.port)
            body = b'[{"time": %d, "service": "s", "path": "/", "status": 200, "latency_ms": 1}]' % item()["time"]
            writer.write(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
            await asyncio.to_thread(bus.entered.wait, 10.0)
            writer.transport.abort()  # it was submitted: it is stored all the same
            bus.let_go()
            while not _nothing_held(running):
                await asyncio.sleep(0.01)
            assert len(running.stored()) == 1

    run(main)


def test_a_body_that_drips_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_BODY_BYTES_PER_S_MIN", 100_000.0)

    async def main() -> None:
        async with world(tmp_path) as running:
            for context in running.server._contexts:
                context.body_rate_window_s = 0.3
            head = await raw(running, HEAD + b"content-length: 1000\r\n\r\n[")
            assert head.startswith(b"HTTP/1.1 408 ")
            while not _nothing_held(running):
                await asyncio.sleep(0.01)

    run(main)


def test_who_waits_for_a_go_ahead_is_given_one_or_the_refusal(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            expecting = b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n"
            assert (await raw(running, HEAD + expecting)).startswith(b"HTTP/1.1 100 ")
            wrong = HEAD.replace(SECRET.encode(), b"fg_wrong_0123456789")
            assert (await raw(running, wrong + expecting)).startswith(b"HTTP/1.1 401 ")

    run(main)


def test_a_mistake_of_ours_costs_its_post_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            with monkeypatch.context() as broken:
                broken.setattr("foregate.telemetry.ingest.reading.items_of", lambda *given: 1 / 0)
                answer = await running.post([item()])
                assert (answer.status, answer.json["code"]) == (500, "internal")
                assert (await running.post([item() for _ in range(2_000)])).status == 500
            running.mistakes = 2
            assert _nothing_held(running)
            assert (await running.post([item()])).status == 200

    run(main)


class Reading:
    """Large bodies take until they are let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go, read = threading.Event(), threading.Event(), Reader.read

        def slowly(*given: Any) -> Any:
            self.begun.set()
            assert self.go.wait(20.0)
            return read(*given)

        monkeypatch.setattr(Reader, "read", slowly)


@pytest.mark.parametrize("packed", [False, True])
def test_a_large_post_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            reading = Reading(monkeypatch)
            body = msgspec.json.encode([item() for _ in range(2_000)])
            more = {"content_encoding": "gzip"} if packed else {}
            large = asyncio.create_task(running.post(gzip.compress(body) if packed else body, **more))
            await asyncio.to_thread(reading.begun.wait, 20.0)
            for _ in range(3):
                assert (await running.post([item()])).status == 200
            reading.go.set()
            assert (await large).json["accepted"] == 2_000
            assert len(running.stored()) == 2_003
            assert _nothing_held(running)

    run(main)


def test_whoever_leaves_while_a_large_post_is_read_holds_its_bytes_until_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            reading = Reading(monkeypatch)
            body = msgspec.json.encode([item() for _ in range(2_000)])
            _, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)
            await asyncio.to_thread(reading.begun.wait, 20.0)
            writer.close()
            await asyncio.sleep(0.1)
            assert running.server._intake.budget.held_bytes == len(body)
            reading.go.set()
            while not _nothing_held(running):
                await asyncio.sleep(0.01)
            assert running.stored() == []

    run(main)


def test_garbage_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    chance = random.Random(7)
    good = msgspec.json.encode([item()])
    paths = ("/v1/telemetry", "/v1/traces", "/v1/metrics", "/v1/logs", "/api/v1/write")
    kinds = ("application/json", "application/x-protobuf", "application/msgpack", "application/x-ndjson", "")

    async def main() -> None:
        async with world(tmp_path) as running:
            statuses = set()
            for turn in range(400):
                body = chance.randbytes(chance.randrange(200)) if turn % 2 else _mutated(chance, good)
                encoding = chance.choice(("identity", "identity", "gzip", "zstd", "snappy", "br"))
                path, kind = chance.choice(paths), chance.choice(kinds)
                answer = await running.post(body, path, kind, content_encoding=encoding)
                statuses.add(answer.status)
            assert statuses <= {200, 204, 400, 413, 415, 422}
            assert _nothing_held(running)
            assert (await running.post(good)).json["accepted"] == 1

    run(main)


def _mutated(chance: random.Random, body: bytes) -> bytes:
    out = bytearray(body)
    for _ in range(chance.randrange(1, 4)):
        out[chance.randrange(len(out))] = chance.randrange(256)
    return bytes(out[: chance.randrange(1, len(out) + 1)])


def _nothing_held(running: World) -> bool:
    held: budget.Budget = running.server._intake.budget
    return (held.items, held.held_bytes, held.requests) == (0, 0, 0)
