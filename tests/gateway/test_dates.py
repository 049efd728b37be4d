"""Every answer says when it was made (RFC 9110 section 6.6.1)."""

import asyncio
import re
from collections.abc import Callable

import pytest
from tests.gateway.world import OPEN, gateway, raw_upstream, refusing_port, route, run, service, talk

from foregate.gateway.policies.policy import Answer, Policy
from foregate.http1.date import http_date
from foregate.kernel.clock import ManualClock
from foregate.wire.match import Rule
from foregate.wire.policies import Cors, Extension, Fallback, ResponseTransform
from foregate.wire.snapshot import FixedAnswer, Redirect, Route

NOW = 1_700_000_000.0
THEIRS = b"Sun, 06 Nov 1994 08:49:37 GMT"


class OwnDate(Policy):
    name = "own"

    def admit(self, request: object) -> Answer:
        return Answer(200, b"Date: " + THEIRS + b"\r\n")


def dates(raw: bytes) -> list[bytes]:
    return re.findall(rb"^date: ([^\r]*)\r$", raw, re.IGNORECASE | re.MULTILINE)


def asked(path: str, more: str = "", method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\n{more}Connection: close\r\n\r\n".encode()


def test_answers_of_our_own_have_one_date() -> None:
    async def main() -> None:
        routes = [
            Route("/fixed", Rule("/fixed"), answer=FixedAnswer(200, "hi"), auth=()),
            Route("/moved", Rule("/moved"), redirect=Redirect("/there"), auth=()),
            route("/closed"),
            route("/gone", auth=(), cors=Cors(("*",)), fallback=Fallback(status=200, body="{}")),
            route("/down", auth=()),
            route("/own", auth=(), extensions=(Extension("own"),)),
        ]
        extensions = {"own": lambda settings: OwnDate()}
        services = [service(refusing_port())]
        async with gateway(services, routes, extensions=extensions, clock=ManualClock(NOW)) as world:
            for path in ("/fixed", "/moved", "/closed", "/gone", "/down", "/nowhere", "/health", "/metrics"):
                assert dates(await talk(world.port, asked(path))) == [http_date(NOW)], path
            preflight = asked("/gone", "Origin: https://a.b\r\nAccess-Control-Request-Method: GET\r\n", "OPTIONS")
            assert dates(await talk(world.port, preflight)) == [http_date(NOW)]
            assert dates(await talk(world.port, b"nonsense\r\n\r\n")) == [http_date(NOW)]
            assert dates(await talk(world.port, asked("/own"))) == [THEIRS]

    run(main)


def by_length(date: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + date + b"Content-Length: 2\r\n\r\nok"


def by_chunks(date: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + date + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


@pytest.mark.parametrize("framed", [by_length, by_chunks])
@pytest.mark.parametrize("shaped", [False, True])
def test_an_answer_without_a_date_gets_its_own_however_often_its_head_is_repeated(
    framed: Callable[[bytes], bytes], shaped: bool
) -> None:
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        connections.append(number)
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(framed(b"DATE: " + THEIRS + b"\r\n" if b"/dated" in head else b""))

    async def main() -> None:
        clock = ManualClock(NOW)
        shape = {"response_transform": ResponseTransform(set_headers={"x-a": "b"})} if shaped else {}
        routes = [route("/", auth=(), **shape)] if shaped else [OPEN]
        async with raw_upstream(serve) as port, gateway([service(port)], routes, clock=clock) as world:
            for seconds in range(4):
                clock.jump_to(NOW + seconds)
                for _ in range(2):
                    assert dates(await talk(world.port, asked("/a"))) == [http_date(NOW + seconds)]
            for _ in range(3):
                assert dates(await talk(world.port, asked("/dated"))) == [THEIRS]
            assert dates(await talk(world.port, asked("/a"))) == [http_date(NOW + 3)]
        assert connections == [0]

    run(main)
