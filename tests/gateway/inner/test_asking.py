"""What a policy asks services by itself, over real sockets: the answer, its failures, its end, one event for all."""

import asyncio
from collections.abc import Callable

import pytest
from tests.gateway.world import gateway, raw_upstream, refusing_port, route, run, service, snapshot, talk, upstream

from foregate.gateway.inner import AnswerHead, Asking, Relay
from foregate.gateway.policies.policy import Handle, Policy, Verdict
from foregate.gateway.request import Request
from foregate.http1 import Request as Asked
from foregate.http1 import Response
from foregate.wire.cache import Cache, CacheStorage
from foregate.wire.mirror import Mirror
from foregate.wire.policies import Bulkhead, Extension, Fallback, Timeouts
from foregate.wire.snapshot import Route

RELAYED = route("/", auth=(), extensions=(Extension("relay"),))
MIRRORED = route("/", auth=(), mirror=Mirror("spare"))


class RelayPolicy(Policy):
    name = "relay"

    def admit(self, request: Request) -> Verdict | None:
        return Handle(lambda request, asking: Relay(request, asking).start())


class Twice(Relay):
    """Asks another service first, and passes on what the second one says when that has failed."""

    def answer_head(self, head: AnswerHead) -> None:
        if head.status >= 500 and not self.status:
            assert self.inner is not None
            self.inner.cancel()
            self.status = -1
            self.inner = self.asking.ask(self.request, self, service="other", path=b"/exactly/this")
        else:
            super().answer_head(head)


class TwicePolicy(Policy):
    name = "twice"

    def admit(self, request: Request) -> Verdict | None:
        return Handle(lambda request, asking: Twice(request, asking).start())


RELAY: dict[str, Callable[..., Policy]] = {"relay": lambda settings: RelayPolicy()}
TWICE: dict[str, Callable[..., Policy]] = {"twice": lambda settings: TwicePolicy()}


def test_the_answer_passes_as_if_nobody_had_stood_between_and_leaves_one_event() -> None:
    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)], [RELAYED], extensions=RELAY) as gate:
            answer = await gate.client.request("GET", gate.url("/a?b=1"), headers=[(b"x-own", b"1")])
            assert (answer.status, await answer.read()) == (200, b"/a?b=1")
            assert answer.header("x-gateway-service") == "svc"
            assert seen.requests[0].header("x-own") == "1"
            event = gate.event
            assert seen.requests[0].header("x-request-id") == event.request_id == answer.header("x-request-id")
            assert (event.status, event.attempts, event.target) == (200, 1, f"http://127.0.0.1:{port}")
            assert (event.client, event.path, event.policies) == ("127.0.0.1", "/a", "relay:passed")
            assert event.upstream_ms > 0.0

    run(main)


def test_a_failure_of_ours_is_told_as_the_problem_that_it_is() -> None:
    async def main() -> None:
        async with gateway([service(refusing_port())], [RELAYED], extensions=RELAY) as gate:
            answer = await gate.client.request("GET", gate.url())
            assert answer.status == 502
            assert b"upstream_refused" in await answer.read()
            assert (gate.event.error, gate.event.attempts) == ("upstream_refused", 1)

    run(main)


def test_who_is_refused_within_ask_is_told_after_it() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def slow(request: Asked) -> Response:
            await release.wait()
            return Response(200, b"late")

        async with upstream(slow) as (seen, port):
            bounded = service(port, bulkhead=Bulkhead(max=1))
            async with gateway([bounded], [RELAYED], extensions=RELAY) as gate:
                first = asyncio.ensure_future(gate.client.request("GET", gate.url()))
                while not seen.requests:
                    await asyncio.sleep(0.001)
                second = await gate.client.request("GET", gate.url())
                assert second.status == 503
                assert gate.event.error == "bulkhead_full"
                release.set()
                assert (await first).status == 200
                third = await gate.client.request("GET", gate.url())
                assert third.status == 200  # the places have been given back

    run(main)


def test_a_client_that_leaves_ends_what_was_asked_for_it() -> None:
    async def main() -> None:
        gone = asyncio.Event()

        async def endless(request: Asked) -> Response:
            async def pieces():  # type: ignore[no-untyped-def]
                try:
                    while True:
                        yield b"more "
                        await asyncio.sleep(0.005)
                finally:
                    gone.set()

            return Response(200, pieces())

        async with upstream(endless) as (_, port), gateway([service(port)], [RELAYED], extensions=RELAY) as gate:
            answer = await gate.client.request("GET", gate.url())
            async for chunk in answer.chunks():
                assert chunk
                break
            answer.abandon()
            await asyncio.wait_for(gone.wait(), 2.0)
            assert (gate.event.status, gate.event.error) == (499, "client_closed")

    run(main)


def test_an_answer_that_breaks_off_breaks_off_for_the_client_too() -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this")
        await writer.drain()

    async def main() -> None:
        async with raw_upstream(broken) as port, gateway([service(port)], [RELAYED], extensions=RELAY) as gate:
            heard = await talk(gate.port, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            assert heard.endswith(b"only this")
            assert (gate.event.status, gate.event.error) == (200, "upstream_truncated")

    run(main)


def test_another_service_may_be_asked_under_the_very_path_that_is_given() -> None:
    async def failing(request: Asked) -> Response:
        return Response(500, b"no")

    async def main() -> None:
        async with upstream(failing) as (_, first), upstream() as (other, second):
            services = [service(first), service(second, name="other")]
            routes = [route("/strip", auth=(), strip=True, extensions=(Extension("twice"),))]
            async with gateway(services, routes, extensions=TWICE) as gate:
                answer = await gate.client.request("GET", gate.url("/strip/me"))
                assert (answer.status, await answer.read()) == (200, b"/exactly/this")
                assert len(other.requests) == 1
                assert gate.event.status == 200

    run(main)


def test_the_way_and_the_bounds_of_an_inner_request_stay_over_a_reload() -> None:
    async def main() -> None:
        async with upstream() as (_, port), gateway([service(port)], [RELAYED], extensions=RELAY) as gate:
            await gate.gateway.apply(snapshot([service(port), service(port, name="new")], [RELAYED]))
            answer = await gate.client.request("HEAD", gate.url("/x"))
            assert answer.status == 200
            assert gate.event.status == 200

    run(main)


@pytest.mark.parametrize(
    ("name", "by"), [("relay", RELAYED), ("cache", route("/", auth=(), cache=Cache())), ("mirror", MIRRORED)]
)
def test_a_fallback_is_said_to_the_client_and_in_the_event(name: str, by: Route) -> None:
    async def main() -> None:
        async with upstream() as (_, port):
            services = [service(refusing_port(), fallback=Fallback(service="spare")), service(port, name="spare")]
            async with gateway(services, [by], extensions=RELAY, cache=CacheStorage()) as gate:
                answer = await gate.client.request("GET", gate.url("/a"))
                assert (answer.status, await answer.read()) == (200, b"/a")
                assert answer.header("x-gateway-fallback") == "1"
                event = gate.event
                assert event.policies == f"{name}:passed fallback:service:svc"
                assert (event.service, event.target, event.attempts) == ("spare", f"http://127.0.0.1:{port}", 2)

    run(main)


def test_server_sent_events_may_be_silent_for_as_long_as_streams_may() -> None:
    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n")
        await asyncio.sleep(0.5)
        writer.write(b"data: 2\n\n")

    async def main() -> None:
        relayed = route(
            "/", auth=(), extensions=(Extension("relay"),), timeouts=Timeouts(attempt_s=0.2, stream_idle_s=5.0)
        )
        async with raw_upstream(quiet) as port, gateway([service(port)], [relayed], extensions=RELAY) as gate:
            answer = await gate.client.request("GET", gate.url())
            assert await answer.read() == b"data: 1\n\ndata: 2\n\n"
            assert (gate.event.status, gate.event.error) == (200, "")

    run(main)


class Broken(Policy):
    name = "broken"

    def admit(self, request: Request) -> Verdict | None:
        return Handle(self._begin)

    def _begin(self, request: Request, asking: Asking) -> None:
        asking.answer(request, 200, [], 5)
        raise ValueError("a mistake")


def test_a_policy_that_fails_in_the_middle_of_its_answer_leaves_its_event() -> None:
    async def main() -> None:
        broken = route("/", auth=(), extensions=(Extension("broken"),))
        async with (
            upstream() as (_, port),
            gateway([service(port)], [broken], extensions={"broken": lambda settings: Broken()}) as gate,
        ):
            await talk(gate.port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (gate.event.status, gate.event.error) == (500, "internal")

    run(main)
