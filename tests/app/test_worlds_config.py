"""Worlds of the lab side by side behind one gateway: each request finds its own world's service, at its own path."""

from pathlib import Path

import pytest
import yaml

from foregate.app.config import load
from foregate.app.config.explain import Asked, explain
from foregate.app.config.verify import verified
from foregate.lab.live.config import default_ports
from foregate.lab.live.demo import VISITOR_VARIABLE, key_variable, worlds_config
from foregate.lab.traffic.visits import CLIENTS, ROUTES, Route
from foregate.wire.snapshot import Snapshot

ENVIRON = {VISITOR_VARIABLE: "fg_demo_0123456789abcdef"}
ENVIRON |= {key_variable(client.key_id): f"fg_demo_0123456789{client.key_id:_<6}" for client in CLIENTS}


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    config = worlds_config({"w1": default_ports(9_101), "w2": default_ports(9_201)})
    file = tmp_path / "foregate.yaml"
    file.write_text(yaml.safe_dump(config))
    return verified(load(file, ENVIRON), b"pepper")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_a_request_below_a_worlds_name_meets_that_worlds_service_without_the_name(
    snapshot: Snapshot, route: Route
) -> None:
    ports = default_ports(9_201)
    for asked in (route.path, f"{route.path}/7"):
        found = explain(snapshot, Asked("GET", f"http://here/w2{asked}?q=1"), {})
        (way,) = found.ways
        assert found.route == f"/w2{route.path}"
        assert way.service == f"{route.service}-w2"
        assert (way.path or "/") == ((asked.removeprefix(route.path) or "/") if route.strip else asked)
        targets = [f"http://127.0.0.1:{port}" for name, port in ports.items() if name.startswith(route.service)]
        assert [target.removesuffix("/") for target in way.targets] == targets


def test_a_request_below_no_worlds_name_meets_nobody(snapshot: Snapshot) -> None:
    assert explain(snapshot, Asked("GET", "http://here/payments"), {}).route is None
    assert explain(snapshot, Asked("GET", "http://here/w3/payments"), {}).route is None
