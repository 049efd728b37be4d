"""How an upstream can fail, and what the client and the event are told."""

import asyncio
import json

import pytest
from tests.gateway.world import gateway, raw_upstream, refusing_port, run, service, talk

from foregate.gateway.match.rewrite import stripped


async def ask(raw: bytes, *, close: bool, timeout_s: float = 0.3) -> tuple[int, str, str]:
    """Status and code of the problem, and the event's error, when the upstream answers `raw`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        if not close:
            await reader.read()

    async with raw_upstream(serve) as port, gateway([service(port, timeout_s=timeout_s)]) as world:
        response = await world.client.request("GET", world.url(), timeout_s=5)
        problem = json.loads(await response.read())
        assert problem["request_id"] == response.header("x-request-id") == world.event.request_id
        assert response.header("content-type") == "application/problem+json"
        assert world.event.status == response.status
        return response.status, problem["code"], world.event.error


@pytest.mark.parametrize(
    ("raw", "close", "status", "code"),
    [
        (b"", True, 502, "upstream_closed"),
        (b"HTTP/1.1 200 OK\r\nContent-", True, 502, "upstream_closed"),
        (b"nonsense\r\n\r\n", True, 502, "upstream_malformed"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            False,
            502,
            "upstream_malformed",
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 90_000, False, 502, "upstream_malformed"),
        (b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", False, 502, "upstream_malformed"),
        (b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n", False, 502, "upstream_malformed"),
        (b"", False, 504, "upstream_timeout"),
    ],
)
def test_a_failure_before_the_answer_is_a_problem_with_the_request_id(
    raw: bytes, close: bool, status: int, code: str
) -> None:
    assert run(lambda: ask(raw, close=close)) == (status, code, code)


def test_nobody_listening_is_502_refused() -> None:
    async def main() -> None:
        async with gateway([service(refusing_port())]) as world:
            response = await world.client.request("GET", world.url())
            assert (response.status, json.loads(await response.read())["code"]) == (502, "upstream_refused")
            assert world.event.error == "upstream_refused"

    run(main)


@pytest.mark.parametrize("close", [True, False], ids=["closed", "silent"])
@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 100\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
    ids=["length", "chunked"],
)
def test_an_answer_that_breaks_off_is_never_taken_for_a_whole_one(head: bytes, close: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + head)
        await writer.drain()
        if close:
            await asyncio.sleep(0.1)  # the head has gone out by then
        else:
            await reader.read()

    async def main() -> None:
        async with raw_upstream(serve) as port, gateway([service(port, timeout_s=0.3)]) as world:
            raw = await talk(world.port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert not raw.endswith(b"\r\n0\r\n\r\n")
            assert len(raw.partition(b"\r\n\r\n")[2]) < 100
            assert world.event.status == 200
            assert world.event.error == ("upstream_truncated" if close else "upstream_timeout")

    run(main)


def test_a_stripped_path_with_an_encoded_slash_stays_a_path() -> None:
    paths = (b"/s", b"/s/x", b"/s%2Fadmin", b"/s%2fadmin")
    assert [stripped(path, 2) for path in paths] == [b"/", b"/x", b"/admin", b"/admin"]
