"""Beside the traffic: what was changed, what runs out, who asks whom, each from its real source."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.app.signals.rig import ALL, FIND, PAY, PLAIN, T0, THEIRS, SignalsRig
from tests.http1.certificates import make
from tests.telemetry.journeys.making import T0_NS, call, span
from tests.telemetry.journeys.rig import Rig

from foregate.adapters.embedded.changes import EmbeddedChanges
from foregate.app.deployment_desk import DeploymentDesk
from foregate.app.signals.signals import BUDGET_AGE_MAX_S
from foregate.http1.certificate_dates import validities
from foregate.wire.entity import Entity
from foregate.wire.minutes import SIGNALS
from foregate.wire.objective import Budget, Objective, ObjectiveState
from foregate.wire.snapshot import decode_snapshot


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[SignalsRig]:
    made = SignalsRig(tmp_path)
    yield made
    made.signals.close()


def marks(said: dict[Entity, dict[str, float]]) -> list[tuple[float | None, float | None]]:
    return [(said[entity].get("deploys"), said[entity].get("config_changes")) for entity in ALL]


NOTHING = [(0.0, 0.0), (0.0, 0.0), (0.0, None)]


def test_what_is_said_has_names_that_a_minute_knows(rig: SignalsRig) -> None:
    said = rig.minute()
    assert set(said[PAY]) == {"deploys", "config_changes", "disk_left", "time_limit_ms"}
    assert {name for values in said.values() for name in values} <= set(SIGNALS)
    assert 0.0 < said[PAY]["disk_left"] < 1.0
    assert said[THEIRS] == {"deploys": 0.0}  # their disk is not ours
    assert rig.said() == []


def test_other_targets_are_a_deployment_of_that_service_in_the_minute_they_came_into_force(rig: SignalsRig) -> None:
    assert marks(rig.minute(0)) == NOTHING
    rig.clock.jump_to(T0 + 60.0 + 30.0)
    rig.put(PLAIN.replace("127.0.0.1:1", "127.0.0.1:9"))
    assert marks(rig.minute(1)) == [(1.0, 1.0), (0.0, 0.0), (0.0, None)]
    assert marks(rig.minute(2)) == NOTHING
    with closing(EmbeddedChanges(rig.data.changes)) as store:
        (change,) = store.recent(10)
    assert (change.kind, change.services, change.time_s) == ("targets", ("payments",), T0 + 90.0)


def test_a_change_between_two_analyzers_is_found_by_the_second_one(rig: SignalsRig) -> None:
    rig.minute(0)
    rig.clock.jump_to(T0 + 3 * 60.0 + 1.0)
    rig.put(PLAIN.replace("name: /find, ", "name: /find, policies: {timeouts: {total_s: 3}}, "))
    rig.again()
    assert marks(rig.minute(3)) == [(0.0, 0.0), (0.0, 1.0), (0.0, None)]


def test_what_is_set_for_everybody_is_a_change_of_everybody_and_a_key_is_of_nobody(rig: SignalsRig) -> None:
    rig.minute(0)
    rig.clock.jump_to(T0 + 70.0)
    rig.put(PLAIN + "policies: {timeouts: {total_s: 9}}\n")
    assert marks(rig.minute(1)) == [(0.0, 1.0), (0.0, 1.0), (0.0, None)]
    rig.clock.jump_to(T0 + 130.0)
    rig.put(PLAIN + "policies: {timeouts: {total_s: 9}}\nkeys: [{name: demo, secret: '${env:DEMO_KEY}'}]\n")
    assert marks(rig.minute(2)) == NOTHING


def test_a_deployment_that_somebody_reports_counts_once_for_its_service(rig: SignalsRig) -> None:
    with closing(EmbeddedChanges(rig.data.changes)) as store:
        desk = DeploymentDesk(store, rig.clock, lambda: decode_snapshot(rig.data.snapshot.read_bytes()))
        rig.clock.jump_to(T0 + 10.0)
        made = desk.add("search", "1.4.2", "", "from the pipeline", "console")
        rig.clock.jump_to(T0 + 20.0)
        assert desk.add("search", "1.4.2", "", "asked again", "console") == made
        desk.add("search", "1.4.2", "staging", "", "console")
        assert [change.environment for change in desk.recent(10, None)] == ["staging", "production"]
        assert desk.recent(10, T0 + 20.0) == [made]
    assert marks(rig.minute(0)) == [(0.0, 0.0), (1.0, 0.0), (0.0, None)]


def test_the_first_certificate_to_expire_is_that_of_a_listener_or_of_the_service_asked(tmp_path: Path) -> None:
    pair, theirs = make(tmp_path, "own", "own.example", days=9), make(tmp_path, "theirs", "client.example", days=3)
    text = PLAIN.replace(
        "payments: {targets: [http://127.0.0.1:1]}",
        f"payments: {{targets: [https://127.0.0.1:1], tls: {{certificate: {theirs.certificate}, key: {theirs.key}}}}}",
    )
    tls = f"tls: [{{certificate: {pair.certificate}, key: {pair.key}}}]"
    text += f"listen: {{gateway: [{{address: 127.0.0.1:8443, {tls}}}]}}\n"
    rig = SignalsRig(tmp_path, text)
    try:
        own_s, theirs_s = (validities(Path(one.certificate).read_text())[0].until_s for one in (pair, theirs))
        said = rig.minute(0)
        assert said[FIND]["cert_left_s"] == own_s - (T0 + 60.0)
        assert said[PAY]["cert_left_s"] == theirs_s - (T0 + 60.0) < said[FIND]["cert_left_s"]
        assert "cert_left_s" not in said[THEIRS]
        for kept in rig.data.certificates.iterdir():
            kept.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        assert "cert_left_s" not in rig.minute(1)[FIND]
        rig.minute(2)
        assert rig.said() == [("signal_unknown", "certificate files")]
    finally:
        rig.signals.close()


def test_the_budget_left_is_the_scarcest_of_an_objective_that_was_judged_lately(rig: SignalsRig) -> None:
    budgets = (Budget("availability", 0.999, 1e4, 5, 10, 0.5), Budget("latency", 0.95, 1e4, 600, 500, -0.2))
    rig.states = [
        ObjectiveState(T0 + 60.0, PAY, Objective(availability=0.999), budgets, 30.0),
        ObjectiveState(T0 + 64.0 - BUDGET_AGE_MAX_S, FIND, Objective(availability=0.999), budgets, 30.0),
    ]
    said = rig.minute(0)
    assert said[PAY]["budget_left"] == -0.2
    assert "budget_left" not in said[FIND]


def test_who_asks_whom_is_known_for_an_hour_and_the_gateway_is_nobody(tmp_path: Path) -> None:
    made = SignalsRig(tmp_path)
    now_s = T0_NS / 1e9
    journeys = Rig(made.data.root, made.clock)
    try:
        made.clock.jump_to(now_s + 30.0)
        of_gateway = [
            span("g", end_ms=90, kind="server", service="gateway"),
            span("gc", "g", 5, 80, kind="client", service="gateway", peer="shop"),
            span("s", "gc", 7, 78, kind="server"),
        ]
        journeys.send([*of_gateway, *call("c", "s", 10, 60, "stock")])
        journeys.drain()
        made.clock.advance(11.0)
        journeys.drain()
        made.signals.minute(now_s, ALL)
        assert made.signals.calls() == {("default", "production", "shop", "stock")}
        made.clock.jump_to(now_s + 4_000.0)
        made.signals.minute(now_s + 3_960.0, ALL)
        assert made.signals.calls() == frozenset()
    finally:
        journeys.close()
        made.signals.close()


def test_a_source_that_fails_ends_nothing_and_is_said_once_until_it_is_back(rig: SignalsRig) -> None:
    good = rig.data.snapshot.read_bytes()
    rig.minute(0)
    rig.data.snapshot.write_bytes(b"{ half a")
    for at in (1, 2):
        rig.clock.jump_to(T0 + at * 60.0 + 65.0)
        assert rig.signals.minute(T0 + at * 60.0, ALL)[PAY] == {"deploys": 0.0}
    rig.data.snapshot.write_bytes(good)
    assert "disk_left" in rig.minute(3)[PAY]
    assert rig.said() == [("signal_unknown", "configuration"), ("signal_known_again", "configuration")]


def test_nothing_is_known_before_there_is_a_configuration(rig: SignalsRig) -> None:
    rig.data.snapshot.unlink()
    assert rig.minute(0) == {entity: {"deploys": 0.0} for entity in ALL}
    assert rig.said() == []
