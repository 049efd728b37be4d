"""An active check under load: its connection is its own, whatever the upstream thinks of `connection: close`."""

import asyncio

from tests.gateway.world import OPEN, gateway, raw_upstream, run, service

from foregate.wire.snapshot import ActiveCheck, Health

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    """Answers with a length, and goes on whatever the request says of closing."""
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)


def test_no_request_meets_the_connection_of_a_check_although_the_upstream_would_go_on_with_it() -> None:
    async def main() -> None:
        async with raw_upstream(deaf) as port:
            watched = service(port)
            health = Health(active=ActiveCheck(path="/healthz", interval_s=0.01, timeout_s=5.0))
            watched = type(watched)(watched.name, watched.targets, health=health, policies=watched.policies)
            async with gateway([watched], [OPEN]) as world:
                until_s = asyncio.get_running_loop().time() + 1.5

                async def ask_again_and_again() -> list[int]:
                    statuses = []
                    while asyncio.get_running_loop().time() < until_s:
                        async with asyncio.timeout(10.0):
                            answer = await world.client.request("GET", world.url())
                            await answer.read()
                        statuses.append(answer.status)
                    return statuses

                asked = await asyncio.gather(*(ask_again_and_again() for _ in range(30)))
                assert {status for statuses in asked for status in statuses} == {200}

    run(main, 60.0)
