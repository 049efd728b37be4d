"""New versions of services: said once, whatever order spans come in, and bounded."""

import pytest
from tests.telemetry.journeys.making import T0_NS, span

from foregate.telemetry.journeys import versions
from foregate.telemetry.journeys.versions import REMEMBERED_S, Versions
from foregate.wire.span import Span

T0_S = T0_NS / 1e9


def said(version: str, at_s: float, service: str = "shop", **more: object) -> Span:
    attributes = {"service.version": version} if version else {}
    return span("s", start_ms=at_s * 1_000, service=service, attributes=attributes, **more)


def new(of: Versions, *spans: Span) -> list[tuple[str, str, float]]:
    return [(each.service, each.version, round(each.time_s - T0_S, 3)) for each in of.learn(spans)]


def test_the_first_version_is_none_and_the_next_is_said_once_while_both_run() -> None:
    seen = Versions()
    assert new(seen, said("1", 0), said("", 1), said("1", 2), said("7", 3, "other")) == []
    assert new(seen, said("1", 10), said("2", 11), said("1", 12), said("2", 13)) == [("shop", "2", 11)]
    assert new(seen, said("2", 14), said("1", 9)) == []
    assert new(seen, said("2", 15, environment="staging")) == []  # the first one there


def test_going_back_is_a_deployment_and_a_silence_is_none() -> None:
    seen = Versions()
    assert len(new(seen, said("1", 0), said("2", 10))) == 1
    later_s = 2 * REMEMBERED_S
    assert new(seen, said("2", later_s)) == []  # nobody asked for it meanwhile
    assert new(seen, said("1", later_s + 5)) == [("shop", "1", later_s + 5)]


def test_a_span_that_comes_late_begins_nothing() -> None:
    seen = Versions()
    new(seen, said("2", 1_000))
    assert new(seen, said("1", 100)) == []


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "SERVICES_MAX", 3)
    monkeypatch.setattr(versions, "VERSIONS_MAX", 4)
    seen = Versions()
    for at in range(10):
        seen.learn([said("1", at, f"s{at}"), said(f"{at}", at, "s0")])
    assert len(seen._last_s) == 3
    assert max(map(len, seen._last_s.values())) == 4


def test_a_service_whose_every_span_has_another_version_is_not_deployed_each_time() -> None:
    seen = Versions()
    found = [each for at in range(500) for each in seen.learn([said(f"build-{at}", at)])]
    assert len(found) == versions.VERSIONS_MAX - 1
    assert new(seen, said("1.0", 2 * REMEMBERED_S)) == [("shop", "1.0", 2 * REMEMBERED_S)]
