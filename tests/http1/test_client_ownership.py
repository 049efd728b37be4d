"""Whose a connection is: nobody takes another's exchange away, and nobody who waits is forgotten."""

import asyncio

from tests.http1.test_client import OK, scripted
from tests.http1.world import run

from foregate.http1.client import ClientConnection
from foregate.http1.deadlines import Deadlines
from foregate.http1.fetch import ClientResponse, locate
from foregate.kernel.clock import SystemClock
from foregate.kernel.errors import ForegateError

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Owner:
    """A pool that only remembers."""

    def __init__(self) -> None:
        self.idle: list[ClientConnection] = []
        self.closed: list[ClientConnection] = []

    def connection_idle(self, connection: ClientConnection) -> None:
        self.idle.append(connection)

    def connection_closed(self, connection: ClientConnection) -> None:
        self.closed.append(connection)


async def connected(url: str, owner: Owner) -> ClientConnection:
    clock = SystemClock()
    connection = ClientConnection(owner, clock, Deadlines(clock, tick_s=0.02))
    (host, port, _), _, _ = locate(url)
    await asyncio.get_running_loop().create_connection(lambda: connection, host, port)
    return connection


def begin(connection: ClientConnection) -> ClientResponse:
    response = ClientResponse()
    connection.send(response, GET, 5.0, head_only=False, complete=True, chunked=False)
    return response


async def failure(response: ClientResponse) -> str:
    try:
        await asyncio.wait_for(response.head(), 10.0)
        await asyncio.wait_for(response.read(), 10.0)
    except ForegateError as error:
        return error.spec.code
    return ""


def test_who_has_its_answer_cannot_break_off_the_next_one_on_the_connection() -> None:
    async def main() -> None:
        async with scripted(OK, OK, then_close=False) as (url, _):
            owner = Owner()
            connection = await connected(url, owner)
            first = begin(connection)
            await first.head()
            second = begin(connection)
            connection.abandon(first)
            assert await failure(second) == ""
            assert owner.closed == []
            connection.close()

    run(main)


def test_who_still_waits_may_leave_and_the_connection_closes() -> None:
    async def main() -> None:
        async with scripted(b"", then_close=False) as (url, _):
            owner = Owner()
            connection = await connected(url, owner)
            connection.abandon(begin(connection))
            assert not connection.usable
            await asyncio.sleep(0.05)
            assert owner.closed == [connection]

    run(main)


def test_a_connection_for_one_use_is_never_idle() -> None:
    async def main() -> None:
        async with scripted(OK, OK, then_close=False) as (url, _):
            owner = Owner()
            connection = await connected(url, owner)
            connection.use_once()
            assert await failure(begin(connection)) == ""
            assert owner.idle == []
            assert not connection.usable
            await asyncio.sleep(0.05)
            assert owner.closed == [connection]

    run(main)


def test_breaking_off_a_connection_tells_who_waits() -> None:
    async def main() -> None:
        async with scripted(b"", then_close=False) as (url, _):
            connection = await connected(url, Owner())
            response = begin(connection)
            connection.break_off()
            assert await failure(response) == "upstream_closed"

    run(main)


def test_a_request_on_a_connection_that_is_gone_fails_and_does_not_wait() -> None:
    async def main() -> None:
        async with scripted(OK, then_close=False) as (url, _):
            owner = Owner()
            connection = await connected(url, owner)
            connection.close()
            await asyncio.sleep(0.05)
            assert owner.closed == [connection]
            assert await failure(begin(connection)) == "upstream_closed"

    run(main)


def test_an_answer_that_is_handed_over_reaches_the_other_one_alone() -> None:
    async def main() -> None:
        async with scripted(OK, then_close=False) as (url, _):
            connection = await connected(url, Owner())
            first, other = begin(connection), ClientResponse()
            connection.hand_over(first, other)
            connection.abandon(first)  # it is not his any more
            assert await failure(other) == ""
            assert first.status == 0
            connection.close()

    run(main)
