"""The fake providers speak to the real clients, and fail in every way that their script says."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import openai
import pytest

from foregate.lab.providers import Call, FakeAnthropic, FakeOpenAI, Script

HELLO: Any = [{"role": "user", "content": "Hello"}]
SCRIPT = Script(calls=(Call("weather", '{"place": "Paris"}'),), thoughts=("hm",), cached_tokens=3)


def _with(
    script: Any, main: Callable[[Any, openai.AsyncOpenAI, Any, anthropic.AsyncAnthropic], Awaitable[None]]
) -> None:
    async def run() -> None:
        one, other = FakeOpenAI(script), FakeAnthropic(script)
        address, second = f"http://127.0.0.1:{await one.start()}/v1", f"http://127.0.0.1:{await other.start()}"
        try:
            async with (
                openai.AsyncOpenAI(base_url=address, api_key="x", max_retries=0) as client,
                anthropic.AsyncAnthropic(base_url=second, api_key="x", max_retries=0) as claude,
            ):
                await main(one, client, other, claude)
        finally:
            await one.close()
            await other.close()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_whole_answers_are_those_of_the_script() -> None:
    async def main(_: Any, client: openai.AsyncOpenAI, __: Any, claude: anthropic.AsyncAnthropic) -> None:
        chat = await client.chat.completions.create(model="m", messages=HELLO)
        assert chat.choices[0].message.content == "Hello, world!"
        assert chat.choices[0].finish_reason == "tool_calls"
        assert chat.usage is not None
        assert chat.usage.completion_tokens == SCRIPT.output_tokens
        assert (await client.completions.create(model="m", prompt="x")).choices[0].text == "Hello, world!"
        assert len((await client.embeddings.create(model="m", input=["a", "b"], encoding_format="float")).data) == 2
        assert (await client.responses.create(model="m", input="x")).output_text == "Hello, world!"
        message = await claude.messages.create(model="m", messages=HELLO, max_tokens=9)
        assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
        assert (message.usage.input_tokens, message.usage.output_tokens) == (8, SCRIPT.output_tokens)

    _with(SCRIPT, main)


def test_streams_are_those_of_the_script() -> None:
    async def main(_: Any, client: openai.AsyncOpenAI, __: Any, claude: anthropic.AsyncAnthropic) -> None:
        stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        assert text == "Hello, world!"
        async with client.responses.stream(model="m", input="x") as events:
            assert (await events.get_final_response()).output_text == "Hello, world!"
        async with claude.messages.stream(model="m", messages=HELLO, max_tokens=9) as told:
            message = await told.get_final_message()
        assert message.content[-1].input == {"place": "Paris"}  # type: ignore[union-attr]

    _with(SCRIPT, main)


@pytest.mark.parametrize("broken", ["aborted", "truncated", "malformed", "error"])
def test_a_stream_breaks_where_and_how_the_script_says(broken: Any) -> None:
    async def heard(stream: Any) -> list[str]:
        seen: list[str] = []
        try:
            async for chunk in stream:
                seen += [choice.delta.content for choice in chunk.choices if choice.delta.content]
        except Exception:  # noqa: BLE001 - each way to break is told in another way
            seen.append("failed")
        return seen

    async def main(fake: Any, client: openai.AsyncOpenAI, _: Any, __: Any) -> None:
        stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
        assert await heard(stream) == ["Hello", ","] + ([] if broken == "truncated" else ["failed"])
        assert fake.tokens_sent == 2

    _with(Script(broken_at=2, broken=broken), main)


def test_errors_are_told_in_the_providers_language_and_each_request_has_its_script() -> None:
    async def main(fake: Any, client: openai.AsyncOpenAI, _: Any, claude: anthropic.AsyncAnthropic) -> None:
        with pytest.raises(openai.RateLimitError, match="slower"):
            await client.chat.completions.create(model="m", messages=HELLO)
        await client.chat.completions.create(model="m", messages=HELLO)
        assert [asked.document["model"] for asked in fake.asked] == ["m", "m"]
        assert fake.asked[0].header("authorization") == "Bearer x"
        with pytest.raises(anthropic.RateLimitError, match="slower"):
            await claude.messages.create(model="m", messages=HELLO, max_tokens=9)

    _with((Script(status=429, error="slower"), Script()), main)


def test_a_client_that_leaves_a_stream_is_noticed() -> None:
    async def main(fake: Any, client: openai.AsyncOpenAI, _: Any, __: Any) -> None:
        stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        await stream.close()
        for _ in range(200):
            if fake.left:
                break
            await asyncio.sleep(0.01)
        assert fake.left == 1

    _with(Script(("a",) * 1_000, pace_s=0.01), main)
