"""An extended CONNECT (RFC 8441) becomes a tunnel in one stream."""

import asyncio

from tests.http1.world import run
from tests.http2.asking import Asking, asking, context, served_by
from tests.http2.serving import Application

from foregate.http2.exchange import Exchange


class Tunnelled:
    """The other end of a tunnel: an echo."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange, self.ended, self.aborted = exchange, False, ""
        self.paused: list[bool] = []

    def tunnel_data(self, data: bytes) -> None:
        self.exchange.write(data)
        self.exchange.flush()

    def tunnel_eof(self) -> None:
        self.ended = True
        self.exchange.end()

    def tunnel_paused(self, paused: bool) -> None:
        self.paused.append(paused)

    def request_aborted(self, code: str) -> None:
        self.aborted = code


async def _connect(client: Asking) -> int:
    await client.until(lambda: client.h2.remote_settings.enable_connect_protocol == 1)
    return client.begin("/ws", "CONNECT", (b":protocol", b"websocket"), end=False)


def test_an_extended_connect_becomes_a_tunnel_both_ways() -> None:
    tunnels: list[Tunnelled] = []

    def application(exchange: Exchange) -> None:
        assert (exchange.method, exchange.upgrade, exchange.complete) == (b"GET", b"websocket", True)
        tunnels.append(Tunnelled(exchange))
        exchange.begin_tunnel(b"sec-websocket-protocol: chat\r\n", tunnels[0])

    async def main() -> None:
        async with served_by(context(application)) as port, asking(port) as client:
            client.h2.config.validate_outbound_headers = client.h2.config.normalize_outbound_headers = False
            stream = await _connect(client)
            answer = client.answers[stream]
            await client.until(lambda: answer.status == 200)
            assert answer.headers == {b":status": b"200", b"sec-websocket-protocol": b"chat"}
            client.send(stream, b"hello")
            await client.until(lambda: answer.body == b"hello")
            client.send(stream, b" again", end=True)
            assert (await client.answer(stream)).body == b"hello again"
            assert (tunnels[0].ended, tunnels[0].aborted) == (True, "")

    run(main)


def test_what_comes_before_the_tunnel_is_there_waits_for_it() -> None:
    async def main() -> None:
        application = Application()
        async with served_by(context(application)) as port, asking(port) as client:
            client.h2.config.validate_outbound_headers = client.h2.config.normalize_outbound_headers = False
            stream = await _connect(client)
            client.send(stream, b"early")
            exchange = (await application.next()).exchange
            await asyncio.sleep(0.02)
            assert application.seen[0].body == b""
            exchange.begin_tunnel(b"", Tunnelled(exchange))
            await client.until(lambda: client.answers[stream].body == b"early")
            client.reset(stream)

    run(main)
