"""The demo: a foregate.yaml in front of the lab, its keys, and what the lab process is told."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec
import yaml

from foregate.app.listeners import free_ports
from foregate.app.paths import DataDir, write_private
from foregate.kernel.secrets import new_key
from foregate.lab import demo_config
from foregate.lab.live.config import HOST, instance_names
from foregate.lab.live.demo import INGEST, TELEMETRY_VARIABLE, VISITOR, VISITOR_VARIABLE, key_variable
from foregate.lab.traffic.visits import CLIENTS

CURL_PATH = "/search?q=gateway"
# Four times the default budget: a newcomer wants to see a fault minutes before it fails, and a false alarm in a lab
# wakes nobody. The card beside the model says what each budget buys.
FALSE_ALARMS_PER_DAY = 2.0


class LabOrder(msgspec.Struct, frozen=True):
    """What the lab process is told. Kept in lab.json, readable by the owner alone (it holds keys)."""

    gateway_url: str
    keys: dict[str, str]
    ports: dict[str, int]
    control_port: int
    seed: int
    telemetry_url: str
    telemetry_key: str

    @property
    def control_url(self) -> str:
        return f"http://{HOST}:{self.control_port}"


def forget(data: DataDir) -> None:
    """Begin anew: remove what an earlier demo recorded. The directory must be held; only our own files are touched."""
    for store in (data.bus, data.series, data.findings, data.journeys, data.logs, data.changes, data.abuse):
        for suffix in ("", "-wal", "-shm"):
            store.with_name(store.name + suffix).unlink(missing_ok=True)
    for counts in (data.counters, data.ingest_counts):
        counts.unlink(missing_ok=True)
    for folder in (data.spools, data.archive):
        shutil.rmtree(folder, ignore_errors=True)


def write_demo(data: DataDir, listen: Mapping[str, str], seed: int) -> tuple[Path, LabOrder, dict[str, str]]:
    """Write foregate.yaml and lab.json of a demo. Returns the configuration, the order, and the keys' variables."""
    names = instance_names()
    *ports, control_port, ingest_port = free_ports(len(names) + 2)
    ingest = f"{HOST}:{ingest_port}"
    by_instance = dict(zip(names, ports, strict=True))
    variables = {
        key_variable(client.key_id): data.secret(f"{client.key_id}.key", lambda: new_key("demo")) for client in CLIENTS
    }
    variables[TELEMETRY_VARIABLE] = data.secret("telemetry.key", lambda: new_key("demo"))
    variables[VISITOR_VARIABLE] = data.secret(f"{VISITOR}.key", lambda: new_key("demo"))
    order = LabOrder(
        gateway_url=f"http://{listen['gateway']}",
        keys={client.key_id: variables[key_variable(client.key_id)] for client in CLIENTS},
        ports=by_instance,
        control_port=control_port,
        seed=seed,
        telemetry_url=f"http://{ingest}",
        telemetry_key=variables[TELEMETRY_VARIABLE],
    )
    file = data.root / "foregate.yaml"
    config = demo_config(by_instance, listen={**listen, INGEST: ingest})
    config["alerts"] = {"false_alarms_per_day": FALSE_ALARMS_PER_DAY}
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    write_private(file, "# Written by `foregate demo` at each start.\n" + text)
    write_private(data.lab, msgspec.json.encode(order).decode())
    return file, order, variables
