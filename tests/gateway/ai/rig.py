"""A gateway between the real Python clients of OpenAI and Anthropic and fake providers, all on loopback."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import anthropic
import msgspec
import openai
from tests.gateway.ai.providers import FakeAnthropic, FakeOpenAI, provider
from tests.gateway.world import KEY, PEPPER, World, gateway, target

from foregate.kernel.secrets import hash_key
from foregate.lab.providers.script import Answering, FakeProvider, Script
from foregate.wire.ai import AiRoute, Model, ModelRoute, Price, Provider
from foregate.wire.event import AiUsage
from foregate.wire.match import Rule
from foregate.wire.policies import ApiKeySource, CircuitBreaker, Policies
from foregate.wire.snapshot import Key, Plan, Route, Service

OPENAI_KEY, ANTHROPIC_KEY = "sk-of-openai", "sk-of-anthropic"
PRICE = Price(input=1.0, output=10.0, cached=0.5)
OTHER_KEY = "fg_test_9876543210"
KEYS = (
    Key("key_demo", "demo", hash_key(KEY, PEPPER), org="acme", plan="gold"),
    Key("key_other", "other", hash_key(OTHER_KEY, PEPPER), org="globex"),
)
BEARER = Policies(api_key=ApiKeySource(bearer=True))
PATIENT = Policies(circuit_breaker=CircuitBreaker(failures=1_000))
HELLO: Any = [{"role": "user", "content": "Say hello."}]


def openai_service(port: int, name: str = "openai", **more: Any) -> Service:
    models = {"gpt-5": Model(price=PRICE), "gpt-mini": Model(name="gpt-5-mini"), "text-*": Model(price=PRICE)}
    settings = Provider(**{"provider": "openai", "models": models, "key": OPENAI_KEY, **more})
    return Service(name, (target(port),), policies=PATIENT, ai=settings)


def anthropic_service(port: int, name: str = "anthropic", **more: Any) -> Service:
    models = {"claude": Model(name="claude-sonnet-4-5", price=Price(input=3.0, output=15.0)), "haiku": Model()}
    settings = Provider(**{"provider": "anthropic", "models": models, "key": ANTHROPIC_KEY, **more})
    return Service(name, (target(port),), policies=PATIENT, ai=settings)


@dataclass
class AiWorld:
    world: World
    openai: FakeOpenAI
    anthropic: FakeAnthropic

    def client(self, key: str = KEY, **more: Any) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=self.world.url("/ai/v1"), api_key=key, max_retries=0, **more)

    def claude(self, key: str = KEY, **more: Any) -> anthropic.AsyncAnthropic:
        return anthropic.AsyncAnthropic(base_url=self.world.url("/ai"), api_key=key, max_retries=0, **more)

    async def post(self, path: str, body: Any, *, key: str = KEY, headers: Sequence[tuple[bytes, bytes]] = ()) -> Any:
        """(status, head, body) of a request that no client would send."""
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        lines = [(b"x-api-key", key.encode()), (b"content-type", b"application/json"), *headers]
        answer = await self.world.client.request("POST", self.world.url("/ai" + path), headers=lines, body=data)
        return answer.status, answer, await answer.read()

    @property
    def used(self) -> AiUsage:
        """By the only request so far."""
        assert self.world.event.ai is not None
        return self.world.event.ai

    def page(self) -> str:
        """The metrics."""
        from foregate.gateway.metrics import render

        return render(self.world.gateway._table.snapshot, self.world.blocks).decode()


@contextlib.asynccontextmanager
async def ai_world(
    openai_script: Answering | None = None,
    anthropic_script: Answering | None = None,
    *,
    models: dict[str, ModelRoute] | None = None,
    services: Sequence[Service] = (),
    policies: Policies = BEARER,
    plans: Sequence[Plan] = (),
    keys: Sequence[Key] = KEYS,
    auth: tuple[Any, ...] = ("api_key",),
    **settings: Any,
) -> AsyncIterator[AiWorld]:
    """Two providers, and a route /ai to both. `settings`: further ones of the route; `services`: further providers."""
    first, second = FakeOpenAI(openai_script or Script()), FakeAnthropic(anthropic_script or Script())
    async with provider(first) as port, provider(second) as other:
        names = ("openai", "anthropic", *(service.name for service in services))
        ai = AiRoute(services=names, models=models or {}, **settings)
        route = Route("ai", Rule("/ai"), auth=auth, policies=policies, ai=ai)
        known = [openai_service(port), anthropic_service(other), *services]
        async with gateway(known, [route], keys=tuple(keys), plans=tuple(plans)) as world:
            yield AiWorld(world, first, second)


@contextlib.asynccontextmanager
async def third_provider(fake: FakeProvider) -> AsyncIterator[int]:
    async with provider(fake) as port:
        yield port
