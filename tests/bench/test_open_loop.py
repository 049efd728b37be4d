"""The load generator: its schedule, and that a server's pause is charged to all who had to wait for it."""

import asyncio
from pathlib import Path

import pytest
from bench.open_loop import Plan, head, schedule, send

ANSWER = b"HTTP/1.1 200 OK\r\nx-target: me\r\ncontent-length: 2\r\n\r\nok"


def test_the_schedule_has_the_rate_and_is_the_same_for_a_seed() -> None:
    dues = [each.due_s for each in schedule(1_000.0, 20.0, 7, 1)]
    assert 19_400 < len(dues) < 20_600
    assert dues == sorted(dues)
    assert dues[-1] < 20.0
    assert dues == [each.due_s for each in schedule(1_000.0, 20.0, 7, 1)]
    assert dues != [each.due_s for each in schedule(1_000.0, 20.0, 8, 1)]


class Pausing(asyncio.Protocol):
    """Answers at once, but not while paused."""

    def __init__(self, may_answer: asyncio.Event) -> None:
        self.may_answer = may_answer
        self.tasks: list[asyncio.Task[None]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(self.answer()))

    async def answer(self) -> None:
        await self.may_answer.wait()
        self.transport.write(ANSWER)


async def with_pause(folder: Path, pause_s: float) -> list[tuple[float, float]]:
    """(due, latency) of a hundred requests a second over two connections; the server pauses after half a second."""
    may_answer = asyncio.Event()
    may_answer.set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Pausing(may_answer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    seen = asyncio.ensure_future(asyncio.to_thread(send, Plan(port, 100.0, 3.0, [head("/")], connections=2), folder))
    await asyncio.sleep(1.5)
    may_answer.clear()
    await asyncio.sleep(pause_s)
    may_answer.set()
    found = await seen
    server.close()
    assert all(each.status == 200 and each.target == "me" for each in found.samples)
    return [(each.due_s, each.done_s - each.due_s) for each in found.samples]


@pytest.mark.timeout(60)
def test_a_pause_is_charged_to_every_request_that_was_due_in_it(tmp_path: Path) -> None:
    found = asyncio.run(with_pause(tmp_path, 0.8))
    slow = [latency for _, latency in found if latency > 0.1]
    # About 80 were due in the pause. A closed loop with two connections would have seen two slow ones.
    assert len(slow) > 30
    assert max(slow) > 0.7
