"""How long one attempt may take, as the gateway's own chains have it."""

from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.app.signals.rig import PAY, PLAIN, THEIRS, SignalsRig

from foregate.app.signals.time_limits import TimeLimits, time_limits
from foregate.gateway.chains import Chain
from foregate.gateway.scopes import resolve
from foregate.wire.ai import AiRoute
from foregate.wire.match import Rule
from foregate.wire.policies import Policies, Timeouts
from foregate.wire.snapshot import FixedAnswer, Route, Service, Snapshot, Weighted

GENERAL, SERVICE, ROUTE = Timeouts(attempt_s=9.0), Timeouts(attempt_s=7.0, total_s=20.0), Timeouts(5.0, 3.0)


@pytest.mark.parametrize("general", [None, GENERAL])
@pytest.mark.parametrize("of_service", [None, SERVICE])
@pytest.mark.parametrize("of_route", [None, ROUTE])
def test_the_most_specific_place_holds_and_all_attempts_bound_each(
    general: Timeouts | None, of_service: Timeouts | None, of_route: Timeouts | None
) -> None:
    policies = [Policies(timeouts=each) for each in (general, of_service, of_route)]
    services = (Service("svc", (), policies=policies[1]),)
    routes = (Route("r", Rule("/"), (Weighted("svc"),), policies=policies[2]),)
    chain = Chain(resolve([("", policies[0]), ("service:svc", policies[1]), ("route:r", policies[2])]), [], [], None)
    limits = [limit_s for limit_s in (chain.timeouts.attempt_s, chain.timeouts.total_s) if limit_s is not None]
    seen = Snapshot("1", services=services, routes=routes, policies=policies[0])
    assert time_limits(seen) == {("r", "svc"): min(limits) * 1000.0}


def test_a_models_answer_has_a_limit_of_its_own() -> None:
    ai = AiRoute(services=("openai", "claude"), answer_timeout_s=60.0)
    plain = Route("ai", Rule("/ai"), ai=ai)
    longer, shorter = (
        msgspec.structs.replace(plain, policies=Policies(timeouts=Timeouts(attempt_s))) for attempt_s in (90.0, 10.0)
    )
    for each, limit_ms in ((plain, 60_000.0), (longer, 60_000.0), (shorter, 10_000.0)):
        assert time_limits(Snapshot("1", routes=(each,))) == {
            ("ai", name): limit_ms for name in ("", "openai", "claude")
        }


def test_who_asks_no_service_has_none() -> None:
    assert time_limits(Snapshot("1", routes=(Route("r", Rule("/"), answer=FixedAnswer()),))) == {}


def test_a_minute_has_that_of_the_configuration_in_force_and_only_our_own_apis_have_one(tmp_path: Path) -> None:
    rig = SignalsRig(tmp_path)
    with closing(rig.signals):
        assert rig.minute(0)[PAY]["time_limit_ms"] == 30_000.0
        rig.put(PLAIN.replace("path: /pay,", "path: /pay, policies: {timeouts: {attempt_s: 2}},"))
        said = rig.minute(1)
        assert said[PAY]["time_limit_ms"] == 2_000.0
        assert "time_limit_ms" not in said[THEIRS]


def test_it_is_looked_for_anew_only_in_another_version() -> None:
    limits, seen = TimeLimits(), Snapshot("1", routes=(Route("ai", Rule("/"), ai=AiRoute(services=("a",))),))
    assert limits.read(seen) is limits.read(seen)
    assert limits.read(Snapshot("2")) == {}
