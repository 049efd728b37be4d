"""Streams on their way: the first token at once, no more in memory than the client reads, connections kept."""

import asyncio
import contextlib
import gc
import json
import socket

import msgspec
import pytest
from tests.gateway.ai.rig import HELLO, ai_world, openai_service
from tests.gateway.world import KEY, MemorySink, run

from foregate.lab.providers.script import Script
from foregate.wire.ai import Model, ModelRoute, TokenLimit
from foregate.wire.event import RequestEvent
from foregate.wire.policies import ApiKeySource, Policies


def test_the_first_token_comes_when_it_comes_not_when_the_answer_ends() -> None:
    async def main() -> None:
        async with ai_world(Script(broken_at=1, broken="silent")) as ai, ai.client() as client:
            stream = await client.chat.completions.create(model="gpt-5", messages=HELLO, stream=True)
            async with asyncio.timeout(5.0):
                async for chunk in stream:
                    if chunk.choices[0].delta.content:
                        break
            assert not ai.world.sink.events  # it goes on
            await stream.close()

    run(main)


def test_a_client_that_does_not_read_stops_the_provider() -> None:
    async def main() -> None:
        pieces = ("word " * 400,) * 20_000  # 40 MB
        async with ai_world(Script(pieces)) as ai:
            body = json.dumps({"model": "gpt-5", "messages": HELLO, "stream": True}).encode()
            _, writer = await asyncio.open_connection("127.0.0.1", ai.world.port, limit=1_024)
            head = f"POST /ai/v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\n"
            writer.write(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            sent = -1
            async with asyncio.timeout(20.0):
                while ai.openai.tokens_sent != sent or sent <= 0:  # until nothing moves any more
                    sent = ai.openai.tokens_sent
                    await asyncio.sleep(0.4)
            assert sent < len(pieces) / 2
            writer.transport.abort()

    run(main)


def test_one_provider_connection_serves_one_stream_after_another() -> None:
    async def main() -> None:
        async with ai_world() as ai, ai.client() as client:
            for _ in range(5):
                stream = await client.chat.completions.create(model="gpt-5", messages=HELLO, stream=True)
                assert [chunk async for chunk in stream]
            (target,) = ai.world.gateway._table.services["openai"].targets
            assert [event.ai.attempts for event in ai.world.sink.events if event.ai] == ["openai/gpt-5:ok"] * 5
            assert target.inflight == 0

    run(main)


def test_routing_by_cost_and_the_size_of_a_context_are_kept_to() -> None:
    async def main() -> None:
        models = {"any": ModelRoute(to=("claude", "gpt-5"), routing="cost")}
        async with ai_world(models=models) as ai, ai.client() as client:
            await client.chat.completions.create(model="any", messages=HELLO)
            assert ai.used.provider == "openai"  # at a third of the price

    run(main)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_request_leaves_nothing_that_only_the_collector_would_free(streamed: bool) -> None:
    async def main() -> None:
        models = {"gpt-5": ModelRoute(fallback=("claude",))}
        async with ai_world([Script(), Script(status=500), Script()], models=models) as ai:
            body = {"model": "gpt-5", "messages": HELLO, "stream": streamed}
            await ai.post("/v1/chat/completions", body)
            gc.collect()
            gc.disable()
            try:
                for _ in range(4):
                    await ai.post("/v1/chat/completions", body)
                gc.set_debug(gc.DEBUG_SAVEALL)
                gc.collect()
                left = {type(each).__name__ for each in gc.garbage}
            finally:
                gc.set_debug(0)
                gc.garbage.clear()
                gc.enable()
            assert not left & {"Conversation", "Attempt", "InnerExchange", "Facts", "Asked"}

    run(main)


@pytest.mark.parametrize("streamed", [False, True])
def test_prompts_and_answers_are_in_no_event_and_no_log(streamed: bool) -> None:
    async def main() -> None:
        secret = "the-prompt-nobody-may-keep"
        limits = (TokenLimit(quota=100_000, period="day"),)
        policies = Policies(api_key=ApiKeySource(bearer=True), token_limits=limits)
        for script in (Script(("the-answer-nobody-may-keep",)), Script(status=500), Script(body=b"nonsense")):
            async with ai_world(script, policies=policies) as ai:
                body = {"model": "gpt-5", "messages": [{"role": "user", "content": secret}], "stream": streamed}
                await ai.post("/v1/chat/completions", body)
                kept = repr(ai.world.sink.events) + repr(ai.world.log) + ai.page()
                assert "nobody-may-keep" not in kept

    run(main)


@pytest.mark.parametrize("lingers_s", [0.0, 0.5])
def test_a_client_that_has_the_last_event_has_left_its_own_behind(lingers_s: float) -> None:
    """OpenAI's leaves with it, though the provider may not have ended its own answer yet; a worker may die then."""

    async def main() -> None:
        script = Script(pace_s=0.001, lingers_s=lingers_s)
        async with ai_world(script) as ai, ai.client() as client:
            stream = await client.chat.completions.create(model="gpt-5", messages=HELLO, stream=True)
            assert [chunk async for chunk in stream]
            event, used = ai.world.event, ai.used  # without waiting for it
            assert (event.status, event.error, used.attempts) == (200, "", "openai/gpt-5:ok")
            assert (used.input_tokens, used.output_tokens, used.estimated) == (11, 4, False)

    run(main)


ENDINGS = {
    "ends": Script(pace_s=0.001),
    "lingers": Script(pace_s=0.001, lingers_s=60.0),
    "breaks off afterwards": Script(pace_s=0.001, lingers_s=0.02, broken_at=4),
}


@pytest.mark.parametrize("script", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("model", ["gpt-5", "claude"])
@pytest.mark.parametrize(
    ("path", "last"), [("/v1/chat/completions", b"data: [DONE]\n\n"), ("/v1/messages", b"event: message_stop\n")]
)
def test_the_last_event_goes_out_once_and_after_the_gateway_has_left_its_own(
    path: str, last: bytes, model: str, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        got, before = bytearray(), list[bytes]()
        with socket.socket() as client:

            def put(sink: MemorySink, event: RequestEvent) -> bool:
                with contextlib.suppress(BlockingIOError):
                    got.extend(client.recv(1_000_000))
                before.append(bytes(got))
                sink.events.append(event)
                return True

            monkeypatch.setattr(MemorySink, "put", put)
            async with ai_world(script, script) as ai:
                body = msgspec.json.encode({"model": model, "messages": HELLO, "stream": True, "max_tokens": 50})
                head = f"POST /ai{path} HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-length: {len(body)}\r\n"
                client.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(client, ("127.0.0.1", ai.world.port))
                await loop.sock_sendall(client, head.encode() + b"content-type: application/json\r\n\r\n" + body)
                while not got.endswith(b"0\r\n\r\n"):
                    got.extend(await loop.sock_recv(client, 65_536))
                assert (ai.world.event.status, ai.world.event.error) == (200, "")
        assert b"world" in before[0]  # tokens do not wait
        assert last not in before[0]
        assert got.count(last) == 1

    run(main)


def test_the_time_between_tokens_is_told_to_the_last_though_that_comes_with_the_end() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        writer.write(b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n')
        await asyncio.sleep(0.05)
        writer.write(
            b'data: {"choices": [{"index": 0, "delta": {"content": "b"}, "finish_reason": "stop"}], '
            b'"usage": {"prompt_tokens": 1, "completion_tokens": 2}}\n\ndata: [DONE]\n\n'
        )
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            service = openai_service(server.sockets[0].getsockname()[1], "raw", models={"raw": Model()})
            async with ai_world(services=[service]) as ai:
                await ai.post("/v1/chat/completions", {"model": "raw", "messages": HELLO, "stream": True})
                assert ai.used.output_tokens == 2
                assert ai.used.inter_token_ms > 40.0

    run(main)
