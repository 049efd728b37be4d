"""Fallback: before the first token the client notices nothing; after it, its stream ends with an error in protocol."""

import asyncio
import json
from typing import Any

import anthropic
import openai
import pytest
from tests.gateway.ai.providers import FakeOpenAI, provider
from tests.gateway.ai.rig import HELLO, AiWorld, ai_world, openai_service
from tests.gateway.world import refusing_port, run

from foregate.gateway.ai.formats.reading import VALUES_MAX
from foregate.gateway.ai.formats.same import Same
from foregate.gateway.ai.formats.watch import PassedOn
from foregate.gateway.ai.health import FAILURES_MAX
from foregate.lab.providers.script import Asked, Script
from foregate.telemetry.windows.models import model_numbers
from foregate.wire.ai import Model, ModelRoute

TO_CLAUDE = {"gpt-5": ModelRoute(fallback=("claude",)), "claude": ModelRoute(fallback=("gpt-5",))}
ENDS = {
    "aborted": "upstream_truncated",
    "truncated": "upstream_truncated",
    "malformed": "provider_malformed",
    "error": "provider_failed",
}
BROKEN = ("aborted", "truncated", "malformed", "error", "silent")


async def _text(ai: AiWorld, streamed: bool, model: str = "gpt-5") -> str:
    async with ai.client() as client:
        if not streamed:
            answer = await client.chat.completions.create(model=model, messages=HELLO)
            return answer.choices[0].message.content or ""
        stream = await client.chat.completions.create(model=model, messages=HELLO, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 502, 503, 529])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_provider_that_cannot_is_replaced(status: int, streamed: bool) -> None:
    async def main() -> None:
        async with ai_world(Script(status=status), models=TO_CLAUDE) as ai:
            assert await _text(ai, streamed) == "Hello, world!"
            assert ai.used.attempts == f"openai/gpt-5:{status} anthropic/claude-sonnet-4-5:ok"
            assert (ai.used.provider, ai.world.event.service) == ("anthropic", "anthropic")
            counted = model_numbers(ai.used)
            assert (counted.failures, counted.limited) == (1, int(status == 429))
            assert (
                'foregate_ai_failed_attempts_total{gen_ai_provider_name="openai",gen_ai_request_model="gpt-5"} 1'
                in (ai.page())
            )

    run(main)


@pytest.mark.parametrize("broken", BROKEN)
def test_a_stream_that_breaks_before_its_first_token_is_begun_anew_elsewhere(broken: Any) -> None:
    async def main() -> None:
        script = Script(broken_at=0, broken=broken)
        async with ai_world(script, models=TO_CLAUDE, first_token_timeout_s=0.3) as ai:
            assert await _text(ai, streamed=True) == "Hello, world!"
            assert ai.used.attempts.startswith("openai/gpt-5:")
            assert ai.used.attempts.endswith("claude-sonnet-4-5:ok")
            assert (ai.world.event.status, ai.world.event.error) == (200, "")

    run(main)


def test_a_whole_answer_that_is_none_is_asked_for_elsewhere() -> None:
    async def main() -> None:
        for body in (b"", b"[]", b'{"choices": 7}', b"<html>sorry</html>"):
            async with ai_world(Script(body=body), models=TO_CLAUDE) as ai:
                assert await _text(ai, streamed=False) == "Hello, world!"
                assert ai.used.attempts.startswith("openai/gpt-5:provider_malformed ")

    run(main)


def test_a_provider_that_is_gone_or_silent_is_replaced() -> None:
    async def main() -> None:
        async with ai_world(Script(silent_s=60.0), models=TO_CLAUDE, answer_timeout_s=0.2) as ai:
            assert await _text(ai, streamed=False) == "Hello, world!"
            assert ai.used.attempts.startswith("openai/gpt-5:upstream_timeout ")
        from tests.gateway.ai.rig import openai_service

        gone = openai_service(refusing_port(), name="gone")
        models = {"smart": ModelRoute(to=("gone/gpt-5", "openai/gpt-5"))}
        async with ai_world(services=[gone], models=models) as ai:
            assert await _text(ai, streamed=True, model="smart") == "Hello, world!"
            assert ai.used.attempts == "gone/gpt-5:upstream_refused openai/gpt-5:ok"

    run(main)


@pytest.mark.parametrize("broken", ENDS)
def test_after_the_first_token_an_openai_client_is_told_and_nobody_else_is_asked(broken: Any) -> None:
    async def main() -> None:
        script = Script(broken_at=2, broken=broken, pace_s=0.01)
        async with ai_world(script, models=TO_CLAUDE) as ai, ai.client() as client:
            stream = await client.chat.completions.create(model="gpt-5", messages=HELLO, stream=True)
            seen: list[str] = []

            async def read() -> None:
                async for chunk in stream:
                    seen.append(chunk.choices[0].delta.content or "")  # noqa: PERF401 - it raises in the middle

            with pytest.raises(openai.APIError) as told:
                await read()
            assert "".join(seen) == "Hello,"
            assert told.value.body is not None
            assert told.value.body["code"]
            assert ai.anthropic.asked == []
            event = ai.world.event
            assert event.status == 200
            assert event.failed
            assert event.error == ENDS[broken]
            assert (ai.used.estimated, ai.used.output_tokens > 0) == (True, True)

    run(main)


@pytest.mark.parametrize("model", ["claude", "gpt-5"])
@pytest.mark.parametrize("broken", ENDS)
def test_after_the_first_token_an_anthropic_client_is_told(broken: Any, model: str) -> None:
    async def main() -> None:
        script = Script(broken_at=2, broken=broken, pace_s=0.01)
        async with ai_world(script, script) as ai, ai.claude() as client:
            seen: list[str] = []

            async def read() -> None:
                async with client.messages.stream(model=model, messages=HELLO, max_tokens=10) as stream:
                    async for text in stream.text_stream:
                        seen.append(text)  # noqa: PERF401 - it raises in the middle

            with pytest.raises(anthropic.APIStatusError):
                await read()
            assert "".join(seen) == "Hello,"
            assert ai.world.event.failed

    run(main)


def test_the_end_of_a_broken_stream_is_an_error_event_and_a_whole_http_message() -> None:
    async def main() -> None:
        script = Script(broken_at=1, broken="aborted", pace_s=0.01)
        async with ai_world(script) as ai:
            body = {"model": "gpt-5", "messages": HELLO, "stream": True}
            status, _, data = await ai.post("/v1/chat/completions", body)  # would raise, were it cut off
            events = [line[6:] for line in data.decode().splitlines() if line.startswith("data: ")]
            assert status == 200
            assert "error" in json.loads([event for event in events if event != "[DONE]"][-1])

    run(main)


def test_what_nobody_can_answer_is_said_with_the_last_ones_reason() -> None:
    async def main() -> None:
        busy = Script(status=429, error="Slow down.", headers=((b"retry-after", b"7"),))
        async with ai_world(Script(status=500), busy, models=TO_CLAUDE) as ai, ai.client() as client:
            with pytest.raises(openai.RateLimitError, match="Slow down") as told:
                await client.chat.completions.create(model="gpt-5", messages=HELLO)
            assert told.value.response.headers["retry-after"] == "7"
            assert ai.world.event.error == "provider_failed"
            assert ai.used.attempts == "openai/gpt-5:500 anthropic/claude-sonnet-4-5:429"
            assert (ai.used.input_tokens, ai.used.cost) == (0, 0.0)
        async with ai_world(Script(status=401, error="Your key sk-… is wrong")) as ai, ai.client() as client:
            with pytest.raises(openai.InternalServerError) as failed:
                await client.chat.completions.create(model="gpt-5", messages=HELLO)
            assert failed.value.status_code == 502
            assert "sk-" not in str(failed.value)

    run(main)


def test_a_broken_model_is_learned_and_avoided_and_tried_again_later() -> None:
    async def main() -> None:
        async with ai_world(lambda asked: script, models=TO_CLAUDE) as ai:
            script = Script(status=500)
            for _ in range(FAILURES_MAX + 4):
                assert await _text(ai, streamed=False) == "Hello, world!"
            assert len(ai.openai.asked) == FAILURES_MAX
            assert [what for what, _ in ai.world.log].count("model_avoided") == 1
            health = ai.world.gateway._means.health.of("openai", "gpt-5")
            health._open_until_s = 0.0
            script = Script()
            await _text(ai, streamed=False)
            assert len(ai.openai.asked) == FAILURES_MAX + 1  # a trial, and it went well
            assert ai.world.sink.events[-1].ai.attempts == "openai/gpt-5:ok"  # type: ignore[union-attr]

    Script()
    run(main)


def test_one_broken_model_says_nothing_of_its_neighbours() -> None:
    async def main() -> None:
        def of(asked: Any) -> Script:
            return Script(status=500) if asked.document["model"] == "gpt-5" else Script()

        async with ai_world(of, models=TO_CLAUDE) as ai:
            for _ in range(FAILURES_MAX + 2):
                await _text(ai, streamed=False)
            await _text(ai, streamed=False, model="gpt-mini")
            assert ai.world.sink.events[-1].ai.attempts == "openai/gpt-5-mini:ok"  # type: ignore[union-attr]

    run(main)


def test_no_more_models_are_tried_than_the_route_allows() -> None:
    async def main() -> None:
        async with ai_world(Script(status=500), models=TO_CLAUDE, attempts_max=1) as ai:
            with pytest.raises(openai.InternalServerError):
                await _text(ai, streamed=False)
            assert ai.anthropic.asked == []

    run(main)


def test_a_model_whose_streams_break_after_their_first_token_is_learned_too() -> None:
    async def main() -> None:
        script = Script(("a", "b", "c"), broken_at=1)
        async with ai_world(script, models={"gpt-5": ModelRoute(fallback=("claude",))}) as ai:
            for _ in range(4):
                await ai.post("/v1/chat/completions", {"model": "gpt-5", "messages": HELLO, "stream": True})
            assert [event.ai.provider for event in ai.world.sink.events if event.ai] == ["openai"] * 3 + ["anthropic"]
            assert any(name == "model_avoided" for name, _ in ai.world.log)

    run(main)


@pytest.mark.parametrize(("streamed", "events"), [(False, 0), (True, 0), (True, 3)])
def test_a_mistake_of_ours_with_an_answer_is_said_at_once_and_leaves_one_event(
    monkeypatch: pytest.MonkeyPatch, streamed: bool, events: int
) -> None:
    feed, fed = PassedOn.feed, 0

    def fail(*_: object) -> Any:
        raise KeyError("a bug")

    def fail_later(stream: PassedOn, chunk: bytes) -> bytes:
        nonlocal fed
        fed += 1
        return feed(stream, chunk) if fed <= events else fail()

    monkeypatch.setattr(Same, "answer", fail)
    monkeypatch.setattr(PassedOn, "feed", fail_later)

    async def main() -> None:
        async with ai_world(Script(pace_s=0.01)) as ai:
            body = {"model": "gpt-5", "messages": HELLO, "stream": streamed}
            async with asyncio.timeout(5.0):
                status, _, data = await ai.post("/v1/chat/completions", body)
            assert (status, b'"code":"internal"' in data) == (200 if events else 500, True)
            assert (ai.world.event.status, ai.world.event.error) == (status, "internal")
            assert [name for name, _ in ai.world.log] == ["policy_failed"]
            assert bool(ai.world.event.ai and ai.world.event.ai.output_tokens) == bool(events)

    run(main)


@pytest.mark.parametrize("status", [403, 404])
def test_what_nobody_has_for_one_client_is_no_reason_to_avoid_a_model_for_all(status: int) -> None:
    def answer(asked: Asked) -> Script:
        return Script(status=status) if "file_id" in str(asked.document) else Script()

    lost: Any = [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-of-nobody"}}]}]
    models = {"any": ModelRoute(to=("gpt-5", "gpt-mini"))}

    async def main() -> None:
        async with ai_world(answer, models=models) as ai:
            for _ in range(FAILURES_MAX + 1):
                await ai.post("/v1/chat/completions", {"model": "any", "messages": lost})
            await ai.post("/v1/chat/completions", {"model": "any", "messages": HELLO})
            told = [event.ai.attempts for event in ai.world.sink.events if event.ai]
            assert told[-1] == "openai/gpt-5:ok"
            assert ai.world.log == []
            ai.openai.script = lambda asked: Script(status=status if asked.document["model"] == "gpt-5" else 200)
            for _ in range(FAILURES_MAX + 1):  # but where another one answers
                await ai.post("/v1/chat/completions", {"model": "any", "messages": HELLO})
            said = ai.world.sink.events[-1].ai
            assert said is not None
            assert said.attempts == "openai/gpt-5-mini:ok"

    run(main)


@pytest.mark.parametrize("body", [b"<html>Too large.</html>", b'{"error": {"message": "' + b"x" * 100_000 + b'"}}'])
def test_an_error_that_is_no_json_or_too_long_is_said_in_the_clients_words(body: bytes) -> None:
    async def main() -> None:
        fake = FakeOpenAI(Script(status=413))
        fake.error = lambda script: body  # type: ignore[method-assign]
        async with provider(fake) as port:
            other = openai_service(port, "other", models={"any": Model()})
            async with ai_world(services=[other]) as ai:
                status, answer, data = await ai.post("/v1/chat/completions", {"model": "any", "messages": HELLO})
                assert (status, answer.header("content-type")) == (413, "application/json")
                assert json.loads(data)["error"]["type"] == "invalid_request_error"

    run(main)


def test_a_body_of_values_without_end_is_refused_before_it_is_read() -> None:
    async def main() -> None:
        async with ai_world() as ai:
            body = b'{"model": "gpt-5", "messages": [' + b",".join([b"{}"] * VALUES_MAX) + b"]}"
            status, _, data = await ai.post("/v1/chat/completions", body)
            assert (status, b"commas and brackets" in data, ai.openai.asked) == (400, True, [])

    run(main)
