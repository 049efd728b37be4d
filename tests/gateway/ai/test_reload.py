"""A change of the configuration: what is under way ends as it began, what is known of models stays."""

import msgspec
from tests.gateway.ai.rig import HELLO, KEYS, ai_world
from tests.gateway.world import run

from foregate.gateway.ai.health import FAILURES_MAX
from foregate.lab.providers.script import Script
from foregate.wire.ai import AiRoute, ModelRoute


def test_a_stream_goes_on_though_its_models_are_gone_from_the_next_configuration() -> None:
    async def main() -> None:
        async with ai_world(Script(("word ",) * 10, pace_s=0.03)) as ai, ai.client() as client:
            stream = await client.chat.completions.create(model="gpt-5", messages=HELLO, stream=True)
            table = ai.world.gateway._table.snapshot
            route = msgspec.structs.replace(table.routes[0], ai=AiRoute(services=("anthropic",)))
            await ai.world.gateway.apply(msgspec.structs.replace(table, version="1" * 12, routes=(route,), keys=KEYS))
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
            assert text == "word " * 10
            status, _, _ = await ai.post("/v1/chat/completions", {"model": "gpt-5", "messages": HELLO})
            assert status == 404

    run(main)


def test_what_is_known_of_a_model_outlives_a_change_of_its_route() -> None:
    async def main() -> None:
        models = {"gpt-5": ModelRoute(fallback=("claude",))}
        async with ai_world(Script(status=500), models=models) as ai:
            body = {"model": "gpt-5", "messages": HELLO}
            for _ in range(FAILURES_MAX):
                await ai.post("/v1/chat/completions", body)
            table = ai.world.gateway._table.snapshot
            changed = AiRoute(services=("anthropic", "openai"), models=models, attempts_max=2)
            route = msgspec.structs.replace(table.routes[0], ai=changed)
            await ai.world.gateway.apply(msgspec.structs.replace(table, version="1" * 12, routes=(route,), keys=KEYS))
            await ai.post("/v1/chat/completions", body)
            assert len(ai.openai.asked) == FAILURES_MAX
            assert [event.status for event in ai.world.sink.events] == [200] * (FAILURES_MAX + 1)

    run(main)
