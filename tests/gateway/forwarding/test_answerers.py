"""Policies that change the head of an answer."""

import json
from typing import Any

from tests.gateway.world import gateway, route, run, service, upstream

from foregate.gateway.policies.policy import Policy
from foregate.http1.headers import HeaderList
from foregate.wire.policies import Extension


class Adding(Policy):
    name = "adding"

    def answered(self, request: Any, status: int, headers: HeaderList) -> HeaderList:  # type: ignore[override]
        headers.append((b"x-added", b"%d" % status))
        return headers


class Broken(Policy):
    name = "broken"

    def answered(self, request: Any, status: int, headers: HeaderList) -> HeaderList:  # type: ignore[override]
        raise RuntimeError("a mistake of its author")


def test_an_answers_fields_can_be_changed_and_do_not_pile_up() -> None:
    async def main() -> None:
        routes = [route("/", auth=(), extensions=(Extension("adding"),))]
        async with (
            upstream() as (_, port),
            gateway([service(port)], routes, extensions={"adding": lambda settings: Adding()}) as world,
        ):
            for _ in range(5):  # the same head each time, so that the engine uses it again
                answer = await world.client.request("GET", world.url())
                await answer.read()
                assert [value for name, value in answer.headers if name == b"x-added"] == [b"200"]

    run(main)


def test_one_that_fails_is_our_fault_and_breaks_no_other_request() -> None:
    async def main() -> None:
        routes = [route("/broken", auth=(), extensions=(Extension("broken"),)), route("/", auth=())]
        async with (
            upstream() as (_, port),
            gateway([service(port)], routes, extensions={"broken": lambda settings: Broken()}) as world,
        ):
            answer = await world.client.request("GET", world.url("/broken"))
            assert (answer.status, json.loads(await answer.read())["code"]) == (500, "internal")
            assert world.event.error == "internal"
            assert world.log[0][0] == "policy_failed"
            assert (await world.client.request("GET", world.url("/"))).status == 200
            state = world.gateway._table.services["svc"]
            assert [target.inflight for target in state.targets] == [0]

    run(main)
