"""Limits in tokens: reserved before a provider is asked, settled when the answer has ended, refused in protocol."""

import asyncio
import random
from typing import Any

import anthropic
import openai
import pytest
from tests.gateway.ai.providers import FakeOpenAI, provider
from tests.gateway.ai.rig import BEARER, HELLO, OTHER_KEY, AiWorld, ai_world, openai_service
from tests.gateway.world import KEY, run
from tests.ports.valkey_server import valkey_server

from foregate.adapters.distributed.limits.store import ValkeyLimits
from foregate.gateway.ai.tokens import estimate
from foregate.lab.providers.script import Script
from foregate.wire.ai import Model, TokenLimit
from foregate.wire.policies import ApiKeySource, Policies, Rate
from foregate.wire.snapshot import Plan


def limited(*limits: TokenLimit) -> Policies:
    return Policies(api_key=ApiKeySource(bearer=True), token_limits=limits)


async def ask(ai: AiWorld, max_tokens: int = 100, key: str = KEY, **more: Any) -> Any:
    body = {"model": "gpt-5", "messages": HELLO, "max_tokens": max_tokens} | more
    return await ai.post("/v1/chat/completions", body, key=key)


def left(answer: Any, name: str = "tokens") -> int:
    return int(answer.header(f"x-ratelimit-remaining-{name}"))


def test_what_was_reserved_and_not_used_comes_back() -> None:
    async def main() -> None:
        async with ai_world(policies=limited(TokenLimit(quota=1_000, period="day"))) as ai:
            _, first, _ = await ask(ai, 600)
            assert left(first) < 400  # while it was under way
            _, second, _ = await ask(ai, 600)
            assert left(second) == left(first) - 15  # the first one used 11 of input and 4 of output
            _, third, _ = await ask(ai, 600, stream=True)
            _, fourth, _ = await ask(ai, 600)
            assert left(fourth) == left(third) - 15 == left(first) - 45

    run(main)


def test_who_may_use_more_than_is_left_is_refused_in_its_own_words_and_nobody_is_asked() -> None:
    async def main() -> None:
        rate = TokenLimit("per-minute", rate=Rate(500.0, 60.0))
        async with ai_world(Script(input_tokens=300, pieces=("a",) * 150), policies=limited(rate)) as ai:
            assert (await ask(ai, 400))[0] == 200
            asked = len(ai.openai.asked)
            async with ai.client() as client, ai.claude() as claude:
                with pytest.raises(openai.RateLimitError) as refused:
                    await client.chat.completions.create(model="gpt-5", messages=HELLO, max_tokens=400)
                assert refused.value.code == "tokens_limited"
                assert "per-minute" in str(refused.value)
                assert int(refused.value.response.headers["retry-after"]) >= 30
                with pytest.raises(anthropic.RateLimitError) as told:
                    await claude.messages.create(model="gpt-5", messages=HELLO, max_tokens=400)
                assert told.value.body["error"]["type"] == "rate_limit_error"  # type: ignore[index]
            assert len(ai.openai.asked) == asked
            assert (await ask(ai, 10))[0] == 200  # a smaller one fits
            assert [event.limit for event in ai.world.sink.events] == ["allowed", "refused", "refused", "allowed"]

    run(main)


def test_kinds_and_subjects_count_apart() -> None:
    async def main() -> None:
        limits = (
            TokenLimit("in", kind="input", quota=10_000, period="month"),
            TokenLimit("out", kind="output", quota=10_000, period="month", by="org"),
        )
        async with ai_world(policies=limited(*limits)) as ai:
            await ask(ai, 50)
            _, mine, _ = await ask(ai, 50)
            assert left(mine, "out") == 10_000 - 4 - 50
            assert 10_000 - 11 - 30 < left(mine, "in") < 10_000 - 11
            _, other, _ = await ask(ai, 50, key=OTHER_KEY)
            assert left(other, "out") == 10_000 - 50  # another org

    run(main)


def test_a_plan_brings_its_own_limit() -> None:
    async def main() -> None:
        plan = Plan("gold", Policies(token_limits=(TokenLimit(quota=50, period="day"),)))
        async with ai_world(plans=[plan], policies=BEARER) as ai:
            assert (await ask(ai, 500))[0] == 200  # more than the limit needs all of it
            status, _, body = await ask(ai, 500)
            assert (status, b"quota_exceeded" in body) == (429, True)
            assert (await ask(ai, 500, key=OTHER_KEY))[0] == 200

    run(main)


@pytest.mark.parametrize("script", [Script(status=500), Script(status=400), Script(body=b"nonsense")])
def test_an_answer_that_never_came_uses_nothing(script: Script) -> None:
    async def main() -> None:
        async with ai_world(script, policies=limited(TokenLimit(quota=1_000, period="day"))) as ai:
            for _ in range(5):
                status, answer, _ = await ask(ai, 800)
                assert status != 200
                assert status != 429
                assert left(answer) > 100

    run(main)


def test_a_client_that_leaves_has_used_what_it_was_sent() -> None:
    async def main() -> None:
        script = Script(("word ",) * 20, broken_at=5, broken="silent")
        async with ai_world(script, policies=limited(TokenLimit(quota=2_000, period="day"))) as ai:
            async with ai.client() as client:
                stream = await client.chat.completions.create(
                    model="gpt-5", messages=HELLO, max_tokens=1_500, stream=True
                )
                seen = 0
                async for chunk in stream:
                    seen += bool(chunk.choices[0].delta.content)
                    if seen == 5:
                        break
                await stream.close()
            async with asyncio.timeout(5.0):
                while not ai.world.sink.events:
                    await asyncio.sleep(0.01)
            ai.openai.script = Script()
            _, answer, _ = await ask(ai, 100)
            used = ai.world.sink.events[0].ai
            assert used is not None
            assert used.output_tokens == estimate("word " * 5)
            reserved = 2_000 - left(answer) - used.input_tokens - used.output_tokens
            assert reserved == used.input_tokens + 100

    run(main)


@pytest.mark.parametrize("seed", range(4))
def test_however_many_ask_at_once_a_limit_is_exceeded_by_no_more_than_one_reserve(seed: int) -> None:
    async def main() -> None:
        rng = random.Random(seed)
        limit = rng.choice([500, 1_000, 3_000])
        asked_max = [rng.choice([10, 50, 200, 400]) for _ in range(60)]

        def answer(asked: Any) -> Script:
            pieces = rng.randint(0, asked.document["max_tokens"])
            late_s = rng.choice([0.0, 0.005, 0.02])
            return Script(("x",) * pieces, input_tokens=15, silent_s=late_s, usage=True)

        async with ai_world(answer, policies=limited(TokenLimit(quota=limit, period="day"))) as ai:

            async def one(most: int) -> None:
                await asyncio.sleep(rng.random() * 0.1)
                await ask(ai, most, stream=rng.random() < 0.5)

            await asyncio.gather(*[one(most) for most in asked_max])
            used = sum(
                event.ai.input_tokens + event.ai.output_tokens for event in ai.world.sink.events if event.ai is not None
            )
            assert used <= limit + max(asked_max) + 15
            assert used > limit / 4  # and it was not simply refused
            ai.openai.script = Script(input_tokens=0)
            room = limit - used
            if room > 60:
                _, last, _ = await ask(ai, 10)
                assert left(last) > room - 60  # nothing stays reserved once all have ended

    run(main)


def test_a_shared_store_reserves_and_settles_the_same() -> None:
    with valkey_server() as server:

        async def main() -> None:
            async with ai_world(policies=limited(TokenLimit(quota=1_000, period="day"))) as ai:
                store = ValkeyLimits(server.url, fail_open=False, log=lambda *_: None, wait_max_s=5.0)
                object.__setattr__(ai.world.gateway._means, "limits", store)
                _, first, _ = await ask(ai, 600)
                await asyncio.sleep(0.05)
                _, second, _ = await ask(ai, 600)
                assert left(second) == left(first) - 15
                await asyncio.sleep(0.05)
                status, _, body = await ask(ai, 5_000)
                assert (status, b"quota_exceeded" in body) == (429, True)
                await store.aclose()

        run(main)


def test_a_client_that_leaves_while_a_shared_store_is_asked_reserves_nothing() -> None:
    with valkey_server() as server:

        async def main() -> None:
            async with ai_world(policies=limited(TokenLimit(quota=1_000, period="day"))) as ai:
                store = ValkeyLimits(server.url, fail_open=False, log=lambda *_: None, wait_max_s=5.0)
                script, taken = store._take_script, 0

                async def slow(**asked: Any) -> Any:
                    nonlocal taken
                    answer = await script(**asked)
                    taken += 1
                    await asyncio.sleep(0.1)
                    return answer

                store._take_script = slow
                object.__setattr__(ai.world.gateway._means, "limits", store)
                body = b'{"model": "gpt-5", "messages": [{"role": "user", "content": "x"}], "max_tokens": 300}'
                head = f"POST /ai/v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\n"
                for number in range(2):
                    _, writer = await asyncio.open_connection("127.0.0.1", ai.world.port)
                    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
                    async with asyncio.timeout(5.0):
                        while taken == number:
                            await asyncio.sleep(0.005)
                    writer.transport.abort()
                await asyncio.sleep(0.3)
                _, answer, _ = await ask(ai, 100)
                assert left(answer) > 800
                assert [event.status for event in ai.world.sink.events] == [499, 499, 200]
                assert len(ai.openai.asked) == 1
                await store.aclose()

        run(main)


@pytest.mark.parametrize(
    ("path", "prompt", "kind", "bounds"),
    [
        ("chat/completions", {"messages": HELLO}, "openai", {"max_completion_tokens": 300}),
        ("chat/completions", {"messages": HELLO}, "openai-compatible", {"max_tokens": 300}),
        (
            "chat/completions",
            {"messages": HELLO, "max_completion_tokens": 5, "max_tokens": 9_999},
            "openai-compatible",
            {"max_completion_tokens": 5, "max_tokens": 5},
        ),
        ("chat/completions", {"messages": HELLO, "max_tokens": 7}, "openai", {"max_tokens": 7}),
        ("responses", {"input": "Hello."}, "openai", {"max_output_tokens": 300}),
        ("completions", {"prompt": "Hello."}, "openai-compatible", {"max_tokens": 16}),
    ],
)
def test_a_provider_is_told_the_bound_that_was_reserved_whatever_the_client_left_open(
    path: str, prompt: Any, kind: str, bounds: dict[str, int]
) -> None:
    async def main() -> None:
        fake = FakeOpenAI(Script())
        async with provider(fake) as port:
            models = {"any": Model(output_tokens_max=300)}
            other = openai_service(port, "other", provider=kind, models=models)
            for limits, told in (
                ([TokenLimit(quota=10_000, period="day")], bounds),
                (
                    [TokenLimit(quota=10_000, period="day", kind="input")],
                    {k: v for k, v in prompt.items() if k in _NAMES},
                ),
            ):
                async with ai_world(services=[other], policies=limited(*limits)) as ai:
                    assert (await ai.post(f"/v1/{path}", {"model": "any"} | prompt))[0] == 200
                    assert {k: v for k, v in fake.asked[-1].document.items() if k in _NAMES} == told

    run(main)


_NAMES = ("max_completion_tokens", "max_tokens", "max_output_tokens")
