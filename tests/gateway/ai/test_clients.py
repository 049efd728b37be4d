"""The real clients of OpenAI and Anthropic against the gateway: what they are told, and what it says they used."""

import openai
import pytest
from tests.gateway.ai.rig import ANTHROPIC_KEY, HELLO, OPENAI_KEY, OTHER_KEY, ai_world
from tests.gateway.world import KEY, run

from foregate.lab.providers.script import Call, Script
from foregate.wire.ai import ModelAccess, ModelRoute
from foregate.wire.policies import ApiKeySource, Policies

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def test_a_chat_completion_passes_and_is_accounted_for() -> None:
    async def main() -> None:
        async with ai_world(Script(input_tokens=1_000, cached_tokens=400)) as ai, ai.client() as client:
            answer = await client.chat.completions.create(model="gpt-5", messages=HELLO)
            assert answer.choices[0].message.content == "Hello, world!"
            assert answer.usage is not None
            assert answer.usage.prompt_tokens == 1_000
            used, event = ai.used, ai.world.event
            assert (used.operation, used.provider, used.model, used.answered_by) == ("chat", "openai", "gpt-5", "gpt-5")
            assert (used.input_tokens, used.output_tokens, used.cached_tokens) == (1_000, 4, 400)
            assert used.cost == pytest.approx((600 * 1.0 + 400 * 0.5 + 4 * 10.0) / 1_000_000)
            assert (used.estimated, used.streamed, used.attempts) == (False, False, "openai/gpt-5:ok")
            assert (event.service, event.route, event.status, event.attempts) == ("openai", "ai", 200, 1)
            assert (event.error, event.policies, event.key_id) == ("", "api_key:passed ai:passed", "key_demo")

    run(main)


def test_providers_get_our_key_and_nothing_of_the_client() -> None:
    async def main() -> None:
        async with ai_world() as ai, ai.client() as client, ai.claude() as claude:
            extra = {"x-private": "1", "cookie": "a=b", "x-forwarded-for": "203.0.113.9"}
            await client.chat.completions.create(model="gpt-5", messages=HELLO, extra_headers=extra)
            await claude.messages.create(model="claude", messages=HELLO, max_tokens=10, extra_headers=extra)
            first, second = ai.openai.asked[0], ai.anthropic.asked[0]
            assert first.header("authorization") == f"Bearer {OPENAI_KEY}"
            assert (second.header("x-api-key"), second.header("anthropic-version")) == (ANTHROPIC_KEY, "2023-06-01")
            for asked in (first, second):
                names = {name for name, _ in asked.headers}
                assert names <= {
                    b"host", b"content-type", b"content-length", b"authorization", b"x-api-key", b"anthropic-version",
                    b"x-request-id", b"traceparent",
                }  # fmt: skip
                assert KEY.encode() not in b"".join(value for _, value in asked.headers)

    run(main)


def test_a_stream_comes_event_by_event_with_its_usage_known_though_the_client_did_not_ask() -> None:
    async def main() -> None:
        async with ai_world(Script(pace_s=0.01)) as ai, ai.client() as client:
            stream = await client.chat.completions.create(model="gpt-5", messages=HELLO, stream=True)
            chunks = [chunk async for chunk in stream]
            text = "".join(
                chunk.choices[0].delta.content or "" for chunk in chunks
            )  # each has a choice: no usage chunk
            assert text == "Hello, world!"
            assert ai.openai.asked[0].document["stream_options"] == {"include_usage": True}
            used = ai.used
            assert (used.input_tokens, used.output_tokens, used.estimated, used.streamed) == (11, 4, False, True)
            assert used.finish_reason == "stop"
            assert used.first_token_ms > 0.0
            assert used.inter_token_ms > 3.0

    run(main)


def test_tools_embeddings_completions_and_responses_pass() -> None:
    async def main() -> None:
        script = Script(calls=(Call("weather", '{"city":"Bern"}'),))
        async with ai_world(script) as ai, ai.client() as client:
            answer = await client.chat.completions.create(model="gpt-5", messages=HELLO, tools=[TOOL])  # type: ignore[call-overload]
            assert answer.choices[0].message.tool_calls[0].function.arguments == '{"city":"Bern"}'
            vectors = await client.embeddings.create(model="text-embed", input=["a", "b"], encoding_format="float")
            assert len(vectors.data) == 2
            text = await client.completions.create(model="gpt-5", prompt="Once")
            assert text.choices[0].text == "Hello, world!"
            response = await client.responses.create(model="gpt-5", input="Hi")
            assert response.output_text == "Hello, world!"
            parts = [
                event.type async for event in await client.responses.create(model="gpt-5", input="Hi", stream=True)
            ]
            assert parts[-1] == "response.completed"
            operations = [event.ai.operation for event in ai.world.sink.events if event.ai is not None]
            assert operations[1:3] == ["embeddings", "text_completion"]
            assert all(event.ai is not None and event.ai.input_tokens == 11 for event in ai.world.sink.events)

    run(main)


def test_anthropic_messages_pass_whole_and_streamed() -> None:
    async def main() -> None:
        async with ai_world() as ai, ai.claude() as claude:
            whole = await claude.messages.create(model="claude", messages=HELLO, max_tokens=100)
            assert whole.content[0].text == "Hello, world!"  # type: ignore[union-attr]
            assert ai.anthropic.asked[0].document["model"] == "claude-sonnet-4-5"
            async with claude.messages.stream(model="claude", messages=HELLO, max_tokens=100) as stream:
                assert await stream.get_final_text() == "Hello, world!"
            used = [event.ai for event in ai.world.sink.events]
            assert all(each is not None and (each.output_tokens, each.estimated) == (4, False) for each in used)

    run(main)


@pytest.mark.parametrize("streamed", [False, True])
def test_openai_clients_reach_claude(streamed: bool) -> None:
    async def main() -> None:
        async with ai_world() as ai, ai.client() as client:
            if streamed:
                stream = await client.chat.completions.create(model="claude", messages=HELLO, stream=True)
                text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
            else:
                answer = await client.chat.completions.create(model="claude", messages=HELLO)
                text = answer.choices[0].message.content or ""
            assert text == "Hello, world!"
            assert (ai.anthropic.asked[0].path, ai.openai.asked) == ("/v1/messages", [])
            used = ai.used
            assert (used.provider, used.answered_by, used.output_tokens) == ("anthropic", "claude-sonnet-4-5", 4)

    run(main)


@pytest.mark.parametrize("streamed", [False, True])
def test_anthropic_clients_reach_gpt(streamed: bool) -> None:
    async def main() -> None:
        async with ai_world() as ai, ai.claude() as claude:
            if streamed:
                async with claude.messages.stream(model="gpt-5", messages=HELLO, max_tokens=100) as stream:
                    text = await stream.get_final_text()
            else:
                whole = await claude.messages.create(model="gpt-5", messages=HELLO, max_tokens=100)
                text = whole.content[0].text  # type: ignore[union-attr]
            assert text == "Hello, world!"
            assert (ai.openai.asked[0].path, ai.anthropic.asked) == ("/v1/chat/completions", [])
            assert (ai.used.provider, ai.used.output_tokens, ai.used.estimated) == ("openai", 4, False)

    run(main)


def test_an_alias_means_what_the_route_says() -> None:
    async def main() -> None:
        models = {"smart": ModelRoute(to=("openai/gpt-mini",))}
        async with ai_world(models=models) as ai, ai.client() as client:
            await client.chat.completions.create(model="smart", messages=HELLO)
            assert ai.openai.asked[0].document["model"] == "gpt-5-mini"
            assert (ai.used.model, ai.used.answered_by) == ("smart", "gpt-5-mini")

    run(main)


def test_the_list_of_models_is_what_this_key_may_ask_for() -> None:
    async def main() -> None:
        models = {"smart": ModelRoute(to=("gpt-5",))}
        async with ai_world(models=models) as ai, ai.client() as client, ai.claude() as claude:
            assert [model.id async for model in client.models.list()] == [
                "claude",
                "gpt-5",
                "gpt-mini",
                "haiku",
                "smart",
            ]
            assert (await client.models.retrieve("smart")).owned_by == "openai"
            assert "claude" in [model.id async for model in claude.models.list()]
        narrow = Policies(api_key=ApiKeySource(bearer=True), models=ModelAccess(allow=("gpt-*",)))
        async with ai_world(models=models, policies=narrow) as ai, ai.client() as client:
            assert [model.id async for model in client.models.list()] == ["gpt-5", "gpt-mini"]
            with pytest.raises(openai.NotFoundError) as refused:
                await client.chat.completions.create(model="claude", messages=HELLO)
            assert refused.value.code == "model_not_found"
            assert ai.anthropic.asked == []

    run(main)


def test_refusals_are_said_in_the_clients_own_words() -> None:
    import anthropic

    async def main() -> None:
        async with ai_world() as ai:
            async with ai.client("fg_wrong_key") as client, ai.claude("fg_wrong_key") as claude:
                with pytest.raises(openai.AuthenticationError) as refused:
                    await client.chat.completions.create(model="gpt-5", messages=HELLO)
                assert (refused.value.code, refused.value.body["message"]) == (  # type: ignore[index]
                    "key_invalid", "The API key is not known here.",
                )  # fmt: skip
                with pytest.raises(anthropic.AuthenticationError) as told:
                    await claude.messages.create(model="claude", messages=HELLO, max_tokens=10)
                assert told.value.body["error"]["type"] == "authentication_error"  # type: ignore[index]
            async with ai.client(OTHER_KEY) as client:
                with pytest.raises(openai.NotFoundError):
                    await client.chat.completions.create(model="nothing", messages=HELLO)
            status, _, body = await ai.post("/v1/chat/completions", b"{not json")
            assert (status, b'"error"' in body) == (400, True)
            status, _, body = await ai.post("/v1/unheard/of", {})
            assert (status, b"route_not_found" in body) == (404, True)
            errors = [event.error for event in ai.world.sink.events]
            assert errors == ["key_invalid", "key_invalid", "model_not_found", "invalid_parameter", "route_not_found"]
            assert not ai.openai.asked
            assert not ai.anthropic.asked

    run(main)


def test_what_the_client_did_wrong_is_told_by_the_provider_and_nobody_else_is_asked() -> None:
    async def main() -> None:
        script = Script(status=400, error="messages is too short")
        models = {"gpt-5": ModelRoute(fallback=("claude",))}
        async with ai_world(script, models=models) as ai, ai.client() as client:
            with pytest.raises(openai.BadRequestError, match="messages is too short"):
                await client.chat.completions.create(model="gpt-5", messages=HELLO)
            assert ai.anthropic.asked == []
            event = ai.world.event
            assert (event.status, event.error, ai.used.input_tokens, ai.used.cost) == (400, "", 0, 0.0)

    run(main)
