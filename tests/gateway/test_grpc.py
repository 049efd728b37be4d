"""gRPC through the gateway: real grpcio on both sides, HTTP/2 on both sides of us."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import msgspec
import pytest
from tests.gateway.upstream.making import until
from tests.gateway.world import NO_RETRY, World, gateway, route, run, service
from tests.http2.asking import asking
from tests.http2.upstream import Asked, h2_upstream

from foregate.wire.policies import CircuitBreaker, Fallback, Retry
from foregate.wire.snapshot import Service

OPEN = [route("/lab.Lab", auth=()), route("/closed.Lab")]


class Lab(grpc.GenericRpcHandler):
    """Bytes in, bytes out: no generated code."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.calls = 0

    def service(self, details: Any) -> Any:
        self.calls += 1
        name = details.method.rpartition("/")[2]
        if name in ("Echo", "Fail", "Never", "Details"):
            return grpc.unary_unary_rpc_method_handler(getattr(self, name.lower()))
        if name in ("Count", "Begin", "BreakLate"):
            return grpc.unary_stream_rpc_method_handler(getattr(self, name.lower()))
        if name == "Sum":
            return grpc.stream_unary_rpc_method_handler(self.sum)
        return grpc.stream_stream_rpc_method_handler(self.chat) if name == "Chat" else None

    def echo(self, message: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("x-sum", "42"), ("x-bin-bin", b"\x00\xff")))
        return message

    def details(self, message: bytes, context: Any) -> bytes:
        return b"\n".join(f"{key}={value}".encode() for key, value in context.invocation_metadata())

    def fail(self, message: bytes, context: Any) -> bytes:
        context.abort(getattr(grpc.StatusCode, message.decode()), "as asked, 100 % sure: ü")
        raise AssertionError

    def never(self, message: bytes, context: Any) -> bytes:
        context.add_callback(self.cancelled.set)
        self.cancelled.wait(10)
        return b""

    def count(self, message: bytes, context: Any) -> Iterator[bytes]:
        for number in range(int(message)):
            yield b"%d" % number

    def begin(self, message: bytes, context: Any) -> Iterator[bytes]:
        context.add_callback(self.cancelled.set)
        yield b"begun"
        self.cancelled.wait(10)

    def breaklate(self, message: bytes, context: Any) -> Iterator[bytes]:
        yield b"begun"
        context.abort(grpc.StatusCode.INTERNAL, "late")

    def sum(self, messages: Iterator[bytes], context: Any) -> bytes:
        return b"%d" % sum(int(message) for message in messages)

    def chat(self, messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for message in messages:
            yield b"you said " + message


@contextlib.contextmanager
def lab() -> Iterator[tuple[Lab, int]]:
    handler = Lab()
    server = grpc.server(ThreadPoolExecutor(8), handlers=(handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield handler, port
    finally:
        handler.cancelled.set()
        server.stop(None).wait(5)


def grpc_service(port: int, **settings: Any) -> Service:
    return msgspec.structs.replace(service(port, **{"retry": NO_RETRY, **settings}), protocol="h2")


@contextlib.asynccontextmanager
async def between(**settings: Any) -> AsyncIterator[tuple[Lab, World, grpc.Channel]]:
    with lab() as (handler, port):
        async with gateway([grpc_service(port, **settings)], OPEN) as world:
            with grpc.insecure_channel(f"127.0.0.1:{world.port}", [("grpc.enable_retries", 0)]) as channel:
                yield handler, world, channel


async def call(do: Callable[[], Any]) -> Any:
    """In a thread: the gateway has this one."""
    return await asyncio.to_thread(do)


def failure(do: Callable[[], Any]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        do()
    return caught.value.code(), caught.value.details()


def test_all_four_kinds_of_calls_pass_with_their_metadata_and_trailers() -> None:
    async def main() -> None:
        async with between() as (_, world, channel):

            def unary() -> None:
                answer, said = channel.unary_unary("/lab.Lab/Echo").with_call(b"hello", timeout=10)
                assert answer == b"hello"
                assert dict(said.trailing_metadata()) == {"x-sum": "42", "x-bin-bin": b"\x00\xff"}

            def details() -> None:
                said = channel.unary_unary("/lab.Lab/Details")(b"", metadata=[("x-own", "1")], timeout=10)
                assert b"x-own=1" in said
                assert b"x-request-id=" in said

            def streams() -> None:
                assert list(channel.unary_stream("/lab.Lab/Count")(b"200", timeout=10)) == [
                    b"%d" % n for n in range(200)
                ]
                assert channel.stream_unary("/lab.Lab/Sum")(iter([b"1", b"2", b"39"]), timeout=10) == b"42"

            def large() -> None:
                body = bytes(3_000_000)
                assert channel.unary_unary("/lab.Lab/Echo")(body, timeout=10) == body

            for each in (unary, details, streams, large):
                await call(each)
            await until(lambda: len(world.sink.events) == 5)
            assert {(event.status, event.error, event.protocol) for event in world.sink.events} == {(200, "", "grpc")}
            assert world.sink.events[0].path == "/lab.Lab/Echo"

    run(main)


def test_both_sides_may_talk_in_turns_on_one_stream() -> None:
    async def main() -> None:
        async with between() as (_, _world, channel):

            def talk() -> None:
                mine: list[bytes] = []
                more = threading.Semaphore(1)

                def said() -> Iterator[bytes]:
                    for number in range(20):
                        more.acquire()
                        yield b"%d" % number

                for answer in channel.stream_stream("/lab.Lab/Chat")(said(), timeout=10):
                    mine.append(answer)
                    more.release()
                assert mine == [b"you said %d" % number for number in range(20)]

            await call(talk)

    run(main)


@pytest.mark.parametrize(
    ("code", "failed"),
    [("NOT_FOUND", False), ("RESOURCE_EXHAUSTED", False), ("UNAVAILABLE", True), ("INTERNAL", True), ("UNKNOWN", True)],
)
def test_a_status_reaches_the_client_and_a_failing_one_is_a_failure_of_the_service(code: str, failed: bool) -> None:
    async def main() -> None:
        breaker = CircuitBreaker(failures=2)
        async with between(breaker=breaker) as (_, world, channel):
            fail = channel.unary_unary("/lab.Lab/Fail")
            for _ in range(2):
                found = await call(lambda: failure(lambda: fail(code.encode(), timeout=10)))
                assert found == (getattr(grpc.StatusCode, code), "as asked, 100 % sure: ü")
            await until(lambda: len(world.sink.events) == 2)
            assert [event.error for event in world.sink.events] == ["upstream_grpc_failed" if failed else ""] * 2
            assert all(event.failed is failed and event.status == 200 for event in world.sink.events)
            third = await call(lambda: failure(lambda: fail(code.encode(), timeout=10)))
            assert ("circuit_open" in third[1]) is failed

    run(main)


def test_a_status_after_messages_is_a_failure_too() -> None:
    async def main() -> None:
        async with between(breaker=CircuitBreaker(failures=1)) as (_, world, channel):

            def late() -> None:
                answers = channel.unary_stream("/lab.Lab/BreakLate")(b"", timeout=10)
                assert next(answers) == b"begun"
                assert failure(lambda: next(answers))[0] == grpc.StatusCode.INTERNAL

            await call(late)
            await until(lambda: len(world.sink.events) == 1)
            assert world.event.error == "upstream_grpc_failed"
            after = await call(lambda: failure(lambda: channel.unary_unary("/lab.Lab/Echo")(b"", timeout=10)))
            assert "circuit_open" in after[1]

    run(main)


def test_our_own_problems_are_grpc_statuses() -> None:
    async def main() -> None:
        async with between() as (_, world, channel):

            def ask(path: str) -> tuple[grpc.StatusCode, str]:
                return failure(lambda: channel.unary_unary(path)(b"", timeout=10))

            code, said = await call(lambda: ask("/closed.Lab/Echo"))
            assert (code, said.split(":")[0]) == (grpc.StatusCode.UNAUTHENTICATED, "key_missing")
            code, said = await call(lambda: ask("/nowhere.Lab/Echo"))
            assert (code, said.split(":")[0]) == (grpc.StatusCode.UNIMPLEMENTED, "route_not_found")
            assert [event.status for event in world.sink.events] == [401, 404]
        with lab() as (_, port):
            pass
        async with gateway([grpc_service(port)], OPEN) as world:
            with grpc.insecure_channel(f"127.0.0.1:{world.port}") as channel:
                code, said = await call(lambda: failure(lambda: channel.unary_unary("/lab.Lab/Echo")(b"", timeout=10)))
                assert (code, said.split(":")[0]) == (grpc.StatusCode.UNAVAILABLE, "upstream_refused")

    run(main)


def test_a_fixed_answer_of_http_is_no_answer_to_a_call() -> None:
    async def main() -> None:
        fallback = Fallback(on=("upstream_refused", "key_missing"), status=200, body="sorry")
        with lab() as (_, port):
            pass
        routes = [route("/lab.Lab", auth=(), fallback=fallback), route("/closed.Lab", fallback=fallback)]
        async with gateway([grpc_service(port)], routes) as world:
            with grpc.insecure_channel(f"127.0.0.1:{world.port}") as channel:
                for path, code in (("/lab.Lab/Echo", "UNAVAILABLE"), ("/closed.Lab/Echo", "UNAUTHENTICATED")):
                    do = channel.unary_unary(path)
                    found = await call(lambda do=do: failure(lambda: do(b"", timeout=10)))  # type: ignore[misc]
                    assert found[0] == getattr(grpc.StatusCode, code)

    run(main)


def test_the_clients_deadline_ends_the_call_on_both_sides() -> None:
    async def main() -> None:
        async with between() as (handler, world, channel):

            def ask() -> None:
                begun_s = time.monotonic()
                assert failure(lambda: channel.unary_unary("/lab.Lab/Never")(b"", timeout=0.3))[0] == (
                    grpc.StatusCode.DEADLINE_EXCEEDED
                )
                assert time.monotonic() - begun_s < 5

            await call(ask)
            await until(handler.cancelled.is_set)
            await until(lambda: len(world.sink.events) == 1)
            assert world.event.error in ("upstream_timeout", "client_closed")  # whoever of the two notices first

    run(main)


def test_our_time_limit_is_a_deadline_exceeded() -> None:
    async def main() -> None:
        async with between(timeout_s=0.3) as (handler, world, channel):
            found = await call(lambda: failure(lambda: channel.unary_unary("/lab.Lab/Never")(b"", timeout=10)))
            assert found[0] == grpc.StatusCode.DEADLINE_EXCEEDED
            assert found[1].startswith("upstream_timeout")
            await until(handler.cancelled.is_set)
            assert (world.event.status, world.event.error) == (504, "upstream_timeout")

    run(main)


def test_a_client_that_cancels_cancels_upstream() -> None:
    async def main() -> None:
        async with between() as (handler, world, channel):

            def leave() -> None:
                answers = channel.unary_stream("/lab.Lab/Begin")(b"", timeout=10)
                assert next(answers) == b"begun"
                answers.cancel()

            await call(leave)
            await until(handler.cancelled.is_set)
            await until(lambda: len(world.sink.events) == 1)
            assert world.event.error == "client_closed"

    run(main)


def test_a_stream_that_falls_silent_ends_with_a_status() -> None:
    async def main() -> None:
        async with between(timeout_s=0.3) as (_, world, channel):

            def listen() -> None:
                answers = channel.unary_stream("/lab.Lab/Begin")(b"", timeout=10)
                assert next(answers) == b"begun"
                assert failure(lambda: next(answers))[0] == grpc.StatusCode.DEADLINE_EXCEEDED

            await call(listen)
            assert (world.event.status, world.event.error) == (200, "upstream_timeout")

    run(main)


def test_only_what_may_be_repeated_is_tried_again_after_a_failing_status() -> None:
    async def main() -> None:
        retry = Retry(attempts=2, base_s=0.01)
        async with between(retry=retry) as (handler, world, channel):
            fail = channel.unary_unary("/lab.Lab/Fail")
            await call(lambda: failure(lambda: fail(b"UNAVAILABLE", timeout=10)))
            assert handler.calls == 1
            key = [("idempotency-key", "1")]
            await call(lambda: failure(lambda: fail(b"UNAVAILABLE", metadata=key, timeout=10)))
            assert handler.calls == 4
            await until(lambda: len(world.sink.events) == 2)
            assert [event.attempts for event in world.sink.events] == [1, 3]

    run(main)


def test_a_deadline_that_the_client_does_not_keep_itself_is_kept_by_us() -> None:
    async def main() -> None:
        async with h2_upstream(never) as (served, port), gateway([grpc_service(port)], OPEN) as world:
            async with asking(world.port) as client:
                fields = ((b"content-type", b"application/grpc"), (b"te", b"trailers"), (b"grpc-timeout", b"200m"))
                stream = client.begin("/lab.Lab/Never", "POST", *fields)
                answer = await client.answer(stream)
                assert (answer.status, answer.reset) == (200, None)
                assert answer.headers[b"grpc-status"] == b"4"
            await until(lambda: served.resets == 1)
            assert served.requests[0].fields["grpc-timeout"] == "200m"
            assert (world.event.status, world.event.error) == (504, "upstream_timeout")
            assert "grpc:deadline" in world.event.policies

    run(main)


def test_a_deadline_in_the_middle_of_an_answer_ends_it_with_a_status() -> None:
    async def drip(asked: Asked) -> None:
        asked.head(200, ("content-type", "application/grpc"))
        while not asked.reset.is_set():
            await asked.data(b"\0\0\0\0\1x")
            await asyncio.sleep(0.02)

    async def main() -> None:
        async with h2_upstream(drip) as (served, port), gateway([grpc_service(port)], OPEN) as world:
            async with asking(world.port) as client:
                fields = ((b"content-type", b"application/grpc"), (b"te", b"trailers"), (b"grpc-timeout", b"200m"))
                answer = await client.answer(client.begin("/lab.Lab/Drip", "POST", *fields))
                assert answer.trailers[b"grpc-status"] == b"4"
                assert answer.body.startswith(b"\0\0\0\0\1x")
            await until(lambda: served.resets == 1)
            assert (world.event.status, world.event.error) == (200, "upstream_timeout")

    run(main)


async def never(asked: Asked) -> None:
    await asked.reset.wait()
