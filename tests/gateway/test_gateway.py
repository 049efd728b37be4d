"""A worker's change of its table: what is refused leaves nothing behind."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.gateway.world import KEY, PEPPER, gateway, route, run, service, snapshot, upstream

from foregate.gateway.policies.absent import AbsentPolicy
from foregate.gateway.policies.policy import Answer, Policy, Verdict
from foregate.gateway.request import Request
from foregate.kernel.secrets import hash_key
from foregate.wire.policies import Extension, Policies
from foregate.wire.snapshot import Key


class Saying(Policy):
    def __init__(self, word: bytes) -> None:
        self.name = "saying"
        self._word = word

    def admit(self, request: Request) -> Verdict | None:
        return Answer(200, body=self._word)


def saying(word: bytes) -> Callable[[dict[str, Any]], Policy]:
    return lambda settings: Saying(word)


def test_a_refused_reload_leaves_no_extensions_of_its_own_in_force() -> None:
    keys = (Key("k1", "k1", hash_key(KEY, PEPPER), policies=Policies(extensions=(Extension("mine"),))),)

    async def main() -> None:
        async with (
            upstream() as (_, port),
            gateway([service(port)], [route()], keys=keys, extensions={"mine": saying(b"before")}) as world,
        ):
            bad = snapshot([service(port)], [route(extensions=(Extension("unknown"),))], keys=keys)
            with pytest.raises(LookupError):
                await world.gateway.apply(bad, {"mine": saying(b"after")})
            # The chain of this key is made only now: still by what the table in force was built with.
            answer = await world.client.request("GET", world.url(), headers=[(b"x-api-key", KEY.encode())])
            assert await answer.read() == b"before"
            good = snapshot([service(port)], [route(priority=60)], keys=keys)
            await world.gateway.apply(good, {"mine": saying(b"after")})

    run(main)


def test_an_absent_extension_keeps_what_it_guards_shut_until_the_real_one_is_there() -> None:
    routes = [route(auth=(), extensions=(Extension("mine"),)), route("/free", auth=())]

    async def main() -> None:
        async with (
            upstream() as (_, port),
            gateway([service(port)], routes, extensions={"mine": lambda _settings: AbsentPolicy("mine")}) as world,
        ):
            for _ in range(2):  # before a reload, and after one that did not bring it
                for path, status in (("/", 500), ("/free", 200)):
                    answer = await world.client.request("GET", world.url(path))
                    await answer.read()
                    assert answer.status == status
                await world.gateway.apply(snapshot([service(port)], routes))
            await world.gateway.apply(snapshot([service(port)], routes), {"mine": saying(b"here")})
            answer = await world.client.request("GET", world.url())
            assert await answer.read() == b"here"

    run(main)
