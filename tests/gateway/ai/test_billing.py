"""Tokens billed are tokens sent: whenever the client leaves, whatever the provider leaves out, for every pair."""

import asyncio
import json
from typing import Any

import pytest
from tests.gateway.ai.rig import HELLO, AiWorld, ai_world
from tests.gateway.world import KEY, run

from foregate.gateway.ai.tokens import estimate
from foregate.lab.providers.script import Script

PIECES = ("The ", "quick ", "brown ", "fox, ", "日本語 ", "jumps ", "🦊 ", "over.")
PAIRS = {
    "chat-openai": ("/v1/chat/completions", "gpt-5", "messages"),
    "chat-anthropic": ("/v1/chat/completions", "claude", "messages"),
    "messages-anthropic": ("/v1/messages", "claude", "messages"),
    "messages-openai": ("/v1/messages", "gpt-5", "messages"),
    "completions-openai": ("/v1/completions", "gpt-5", "prompt"),
    "responses-openai": ("/v1/responses", "gpt-5", "input"),
}


def _body(pair: str) -> dict[str, Any]:
    _, model, member = PAIRS[pair]
    asked: Any = HELLO if member == "messages" else "Say hello."
    return {"model": model, member: asked, "stream": True, "max_tokens": 100} | (
        {"max_output_tokens": 100} if member == "input" else {}
    )


def texts(events: bytes) -> list[str]:
    """What a client has been told, by whatever protocol."""
    found = []
    for line in events.decode().splitlines():
        if not line.startswith("data: ") or line == "data: [DONE]":
            continue
        said = json.loads(line[6:])
        if said.get("choices"):
            choice = said["choices"][0]
            found.append(choice.get("text") or (choice.get("delta") or {}).get("content") or "")
        elif said.get("type") == "content_block_delta":
            found.append(said["delta"].get("text") or "")
        elif said.get("type") == "response.output_text.delta":
            found.append(said["delta"])
    return [text for text in found if text]


async def _read_tokens(ai: AiWorld, pair: str, tokens: int) -> str:
    """Ask for a stream, read so many tokens of it, leave. The text that came."""
    path, _, _ = PAIRS[pair]
    body = json.dumps(_body(pair)).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", ai.world.port)
    head = f"POST /ai{path} HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\n"
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    data = b""
    while len(texts(_dechunked(data))) < tokens:
        data += await reader.read(65_536)
    if not tokens:
        while not (ai.openai.asked or ai.anthropic.asked):
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
    writer.transport.abort()
    return "".join(texts(_dechunked(data)))


def _dechunked(data: bytes) -> bytes:
    """The body so far, of whole events."""
    _, _, rest = data.partition(b"\r\n\r\n")
    out = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size or b"0", 16)
        if not length or len(rest) < length:
            break
        out, rest = out + rest[:length], rest[length + 2 :]
    return out


async def _event(ai: AiWorld) -> None:
    async with asyncio.timeout(5.0):
        while not ai.world.sink.events:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_client_that_leaves_after_any_token_is_billed_what_it_was_sent(pair: str) -> None:
    async def main() -> None:
        for tokens in range(len(PIECES)):
            script = Script(PIECES, broken_at=tokens, broken="silent")
            async with ai_world(script, script) as ai:
                text = await _read_tokens(ai, pair, tokens)
                await _event(ai)
                assert text == "".join(PIECES[:tokens])
                event, used = ai.world.event, ai.used
                assert (event.status, event.error) == (499, "client_closed")
                assert used.output_tokens == estimate(text), (pair, tokens)
                assert used.estimated
                assert used.input_tokens > 0
                provider = ai.anthropic if "-anthropic" in pair else ai.openai
                async with asyncio.timeout(5.0):  # and the provider does not go on for nobody
                    while not provider.left:
                        await asyncio.sleep(0.005)

    run(main)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_provider_that_omits_usage_is_counted_for(pair: str) -> None:
    async def main() -> None:
        script = Script(PIECES, usage=False)
        async with ai_world(script, script) as ai:
            path, _, _ = PAIRS[pair]
            status, _, data = await ai.post(path, _body(pair))
            assert (status, "".join(texts(data))) == (200, "".join(PIECES))
            assert ai.used.output_tokens == estimate("".join(PIECES))
            assert ai.used.estimated
            assert ai.used.input_tokens > 0
            assert "foregate_ai_estimated_total" in ai.page()

    run(main)


@pytest.mark.parametrize("pair", PAIRS)
def test_what_the_provider_says_is_what_is_billed(pair: str) -> None:
    async def main() -> None:
        script = Script(PIECES, input_tokens=1_234)
        async with ai_world(script, script) as ai:
            path, _, _ = PAIRS[pair]
            await ai.post(path, _body(pair))
            await ai.post(path, _body(pair) | {"stream": False})
            for event in ai.world.sink.events:
                assert event.ai is not None
                assert (event.ai.input_tokens, event.ai.output_tokens) == (1_234, len(PIECES))
                assert not event.ai.estimated

    run(main)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("pair", ["chat-openai", "chat-anthropic", "messages-anthropic", "messages-openai"])
def test_zeros_are_no_usage_where_there_was_a_text(pair: str, streamed: bool) -> None:
    class Zeros(Script):
        output_tokens = 0

    async def main() -> None:
        script = Zeros(PIECES, input_tokens=0)
        async with ai_world(script, script) as ai:
            path, _, _ = PAIRS[pair]
            await ai.post(path, _body(pair) | {"stream": streamed})
            assert (ai.used.output_tokens, ai.used.estimated) == (estimate("".join(PIECES)), True)
            if "-openai" in pair or streamed:
                assert ai.used.input_tokens > 0

    run(main)


def test_a_client_that_leaves_while_a_whole_answer_is_awaited_is_billed_its_prompt() -> None:
    async def main() -> None:
        async with ai_world(Script(silent_s=5.0)) as ai:
            body = json.dumps({"model": "gpt-5", "messages": HELLO}).encode()
            _, writer = await asyncio.open_connection("127.0.0.1", ai.world.port)
            head = f"POST /ai/v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\n"
            writer.write(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            await asyncio.sleep(0.1)
            writer.transport.abort()
            await _event(ai)
            assert (ai.world.event.status, ai.used.output_tokens, ai.used.estimated) == (499, 0, True)
            assert ai.used.input_tokens > 0
            assert ai.used.cost > 0.0

    run(main)


def test_the_page_of_numbers_speaks_opentelemetry() -> None:
    async def main() -> None:
        async with ai_world(Script(PIECES, pace_s=0.002, input_tokens=100)) as ai:
            await ai.post("/v1/chat/completions", _body("chat-openai"))
            page = ai.page()
            labels = 'gen_ai_provider_name="openai",gen_ai_request_model="gpt-5"'
            for name in (
                "gen_ai_client_operation_duration_seconds",
                "gen_ai_server_time_to_first_token_seconds",
                "gen_ai_server_time_per_output_token_seconds",
            ):
                assert f"{name}_count{{{labels}}} 1\n" in page
            assert f'gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type="input"}} 100\n' in page
            assert f'gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type="output"}} 8\n' in page
            cost = next(line for line in page.splitlines() if line.startswith(f"foregate_ai_cost_total{{{labels}}}"))
            assert float(cost.split()[-1]) == pytest.approx(ai.used.cost)

    run(main)
