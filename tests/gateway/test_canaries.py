"""A canary that is rolled back gets nothing, at once and over reloads; one with other settings is tried anew."""

import asyncio

import msgspec
from tests.gateway.world import World, gateway, route, run, service, snapshot, upstream

from foregate.gateway.canaries import roll_back
from foregate.wire.canary import Canary, fingerprint
from foregate.wire.snapshot import Weighted
from foregate.wire.verdicts import RolledBack, Verdicts

CANARY = Canary("next", weight=50)
ROUTE = msgspec.structs.replace(
    route("/", [Weighted("svc", 50_000), Weighted("next", 50_000)], auth=()), canary=CANARY, sticky=False
)
OUT = RolledBack("/", "next", None, "it fails", 1.0, fingerprint(CANARY))


async def share(gate: World) -> float:
    """Of forty requests, how many the canary gets."""
    answers = [await gate.client.request("GET", gate.url()) for _ in range(40)]
    return sum(answer.header("x-gateway-service") == "next" for answer in answers) / 40


def test_it_gets_nothing_from_the_verdict_on_and_its_share_when_that_is_lifted() -> None:
    async def main() -> None:
        async with (
            upstream() as (_, one),
            upstream() as (_, two),
            gateway([service(one), service(two, name="next")], [ROUTE]) as gate,
        ):
            assert 0.2 < await share(gate) < 0.8
            gate.gateway.verdicts(Verdicts(1, (), (OUT,)))
            assert await share(gate) == 0.0
            await gate.gateway.apply(snapshot([service(one), service(two, name="next")], [ROUTE]))
            assert await share(gate) == 0.0
            gate.gateway.verdicts(Verdicts(2))
            assert 0.2 < await share(gate) < 0.8

    run(main)


def test_other_settings_are_tried_anew() -> None:
    async def main() -> None:
        async with (
            upstream() as (_, one),
            upstream() as (_, two),
            gateway([service(one), service(two, name="next")], [ROUTE]) as gate,
        ):
            gate.gateway.verdicts(Verdicts(1, (), (OUT,)))
            other = msgspec.structs.replace(ROUTE, canary=Canary("next", weight=60))
            await gate.gateway.apply(snapshot([service(one), service(two, name="next")], [other]))
            await asyncio.sleep(0)
            assert await share(gate) > 0.2

    run(main)


def test_verdicts_about_routes_that_are_gone_or_that_have_ended_do_nothing() -> None:
    async def main() -> None:
        async with (
            upstream() as (_, one),
            upstream() as (_, two),
            gateway([service(one), service(two, name="next")], [ROUTE]) as gate,
        ):
            ended = RolledBack("/", "next", 5.0, "it failed", 1.0, fingerprint(CANARY))
            foreign = RolledBack("/elsewhere", "next", None, "it fails", 1.0, "")
            gate.gateway.verdicts(Verdicts(1, (), (ended, foreign)))
            assert await share(gate) > 0.2
            assert roll_back(gate.gateway._table.entries, (OUT,), 10.0) == [("/", "next")]

    run(main)
