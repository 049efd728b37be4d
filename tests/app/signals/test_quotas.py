"""What is left of quotas, as the real gateway has counted them in the real file."""

from pathlib import Path

import msgspec
import pytest
from tests.gateway.ai.providers import FakeOpenAI, provider
from tests.gateway.ai.rig import HELLO, openai_service
from tests.gateway.world import gateway, route, run, service, snapshot, upstream

from foregate.adapters.embedded.limits.reader import LimitsReader
from foregate.app.signals.quotas import Quotas
from foregate.kernel.clock import SystemClock
from foregate.lab.providers.script import Script
from foregate.wire.ai import AiRoute, TokenLimit
from foregate.wire.match import Rule
from foregate.wire.policies import Policies, Quota
from foregate.wire.snapshot import Route, Snapshot


def quotas(folder: Path, boot: bytes | None = None) -> Quotas:
    return Quotas(LimitsReader(folder / "limits.bin", boot), SystemClock())


def test_the_scarcest_quota_that_all_share_is_read_as_the_gateway_counts_it(tmp_path: Path) -> None:
    async def main() -> None:
        own = (Quota(10, "day", "of-route", "route"), Quota(5, "month", "of-service", "service"))
        routes = [route("/a", auth=(), quotas=own), route("/b", auth=())]
        general = Policies(quotas=(Quota(8, "day", "of-all", "all"), Quota(3, "day", "of-each", "ip")))
        async with upstream() as (_, port):
            services = [service(port)]
            looking, seen = quotas(tmp_path), snapshot(services, routes, policies=general)
            assert looking.read(seen) == {}  # no worker has made the file
            async with gateway(services, routes, folder=tmp_path, policies=general) as world:
                assert looking.read(seen) == {("/a", "svc"): 1.0, ("/b", "svc"): 1.0}
                for path in ("/a", "/a", "/b", "/b"):
                    await (await world.client.request("GET", world.url(path))).read()
                assert [event.status for event in world.sink.events] == [200, 200, 200, 429]
                left = {("/a", "svc"): pytest.approx(3 / 5), ("/b", "svc"): pytest.approx(5 / 8)}
                assert looking.read(seen) == left
                assert quotas(tmp_path, bytes(16)).read(seen) == {}  # of another run of the machine

    run(main)


def test_what_models_used_of_a_quota_of_tokens_is_known_for_each_that_may_have_answered(tmp_path: Path) -> None:
    async def main() -> None:
        async with provider(FakeOpenAI(Script(input_tokens=300))) as port:
            limits = Policies(
                quotas=(Quota(2, "day", by="service"),),
                token_limits=(TokenLimit(quota=1_000, period="day", by="all"),),
            )
            ai = AiRoute(services=("openai",))
            services, routes = [openai_service(port)], [Route("ai", Rule("/ai"), auth=(), policies=limits, ai=ai)]
            async with gateway(services, routes, folder=tmp_path) as world:
                body = msgspec.json.encode({"model": "gpt-5", "messages": HELLO, "max_tokens": 50})
                lines = [(b"content-type", b"application/json")]
                url = world.url("/ai/v1/chat/completions")
                await (await world.client.request("POST", url, headers=lines, body=body)).read()
                used = world.event.ai
                assert used is not None
                tokens = 1.0 - (used.input_tokens + used.output_tokens) / 1_000
                assert 0.5 < tokens < 0.75
                for held, left in ((limits, 0.5), (msgspec.structs.replace(limits, quotas=()), tokens)):
                    seen = snapshot(services, [msgspec.structs.replace(routes[0], policies=held)])
                    found = quotas(tmp_path).read(seen)
                    assert found == {("ai", ""): pytest.approx(left), ("ai", "openai"): pytest.approx(left)}

    run(main)


def test_what_others_count_is_not_known(tmp_path: Path) -> None:
    limited = route(quotas=(Quota(5, "day", by="all"),))
    shared = msgspec.structs.replace(snapshot([service(1)], [limited]), limits_url="redis://127.0.0.1:1")
    with pytest.raises(OSError, match="not asked"):
        quotas(tmp_path).read(shared)
    assert quotas(tmp_path).read(Snapshot("1")) == {}
