"""The demo's own configuration: what is written is a configuration that foregate takes, and the lab knows its keys."""

from pathlib import Path

import msgspec

from foregate.app.config import load
from foregate.app.config.addresses import parse_listener
from foregate.app.config.compile import compile_ingest
from foregate.app.demo import LabOrder, forget, write_demo
from foregate.app.listeners import free_ports
from foregate.app.paths import DataDir
from foregate.kernel.secrets import hash_key


def listen() -> dict[str, str]:
    gateway, console = free_ports(2)
    return {"gateway": f"127.0.0.1:{gateway}", "console": f"127.0.0.1:{console}"}


def test_the_lab_may_send_its_services_metrics_as_those_of_the_services_behind_the_gateway(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    file, order, variables = write_demo(data, listen(), seed=1)
    loaded = load(file, variables)
    pepper = data.pepper()
    ingest = compile_ingest(loaded.config, pepper)
    (address,) = ingest.listen
    assert f"http://{address}" == order.telemetry_url == parse_listener(address).url
    assert [(key.org, key.environment) for key in ingest.keys] == [(loaded.config.org, loaded.config.environment)]
    assert ingest.keys[0].hash == hash_key(order.telemetry_key, pepper)
    assert msgspec.json.decode(data.lab.read_bytes(), type=LabOrder) == order
    assert order.telemetry_key not in file.read_text()


def test_another_demo_begins_anew_and_keeps_its_secrets(tmp_path: Path) -> None:
    """Who kept a place on the bus, or counted what came, must not outlive the bus."""
    data = DataDir(tmp_path)
    pepper = data.pepper()
    stores = [data.bus, data.series, data.findings, data.journeys, data.logs, data.changes, data.abuse]
    recorded = [*stores, data.counters, data.ingest_counts, data.archive / "points.parquet", data.spool(0) / "1.seg"]
    for file in recorded:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"recorded")
    forget(data)
    assert [file for file in recorded if file.exists()] == []
    assert data.pepper() == pepper
