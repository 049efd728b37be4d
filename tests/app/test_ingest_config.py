"""Who may send telemetry: what the configuration says, what is made of it, and what a reload changes."""

from pathlib import Path

import pytest

from foregate.app.config import ConfigRefused, load
from foregate.app.config.compile import compile_ingest
from foregate.app.config.restart import fixed_changes, later_changes
from foregate.app.config.schema import Config
from foregate.app.config.warnings import warnings
from foregate.app.launch import Launch, child_specs
from foregate.app.logs import LogStyle
from foregate.app.paths import DataDir
from foregate.app.runtime import read_ingest, write_ingest
from foregate.kernel.secrets import hash_key

PEPPER = b"p" * 32
SECRET = "fg_test_0123456789abcdefghij"
FILE = """
org: acme
environment: production
telemetry:
  ingest_workers: 3
  ingest_keys:
    - {name: plain, secret: '${env:SENDER}'}
    - {name: other, hash: 'hmac-sha256:%s', org: umbrella, environment: test, region: eu, cloud: aws, items_per_s: 5}
""" % ("ab" * 32)


def loaded(folder: Path, text: str, **environ: str) -> Config:
    file = folder / "foregate.yaml"
    file.write_text(text)
    return load(file, {"SENDER": SECRET, **environ}).config


def test_keys_are_hashed_and_know_what_holds_for_their_senders(tmp_path: Path) -> None:
    ingest = compile_ingest(loaded(tmp_path, FILE), PEPPER)
    plain, other = ingest.keys
    assert (plain.id, plain.hash, plain.org, plain.environment) == (
        "plain", hash_key(SECRET, PEPPER), "acme", "production",
    )  # fmt: skip
    assert (other.hash, other.org, other.environment, other.region, other.cloud, other.items_per_s) == (
        "hmac-sha256:" + "ab" * 32, "umbrella", "test", "eu", "aws", 5.0,
    )  # fmt: skip
    assert (ingest.listen, ingest.workers) == (("127.0.0.1:4318", "127.0.0.1:4317"), 3)
    data = DataDir(tmp_path)
    write_ingest(data, ingest)
    assert SECRET not in data.ingest.read_text()
    assert read_ingest(data) == ingest


def test_settings_keep_the_names_that_people_know(tmp_path: Path) -> None:
    known = {"BATCH_SIZE": "100", "FLUSH_INTERVAL_SECONDS": "5", "MAX_BUFFER_CAPACITY": "9000", "RETENTION_DAYS": "7"}
    config = loaded(tmp_path, FILE, **known)
    ingest = compile_ingest(config, PEPPER)
    assert (ingest.batch_items, ingest.flush_interval_s, ingest.buffer_items_max) == (100, 5.0, 9_000)
    assert config.telemetry.retention_days == 7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("telemetry: {ingest_keys: [{name: a, secret: 'in the file, in plain'}]}", "must not stand in the file"),
        ("telemetry: {ingest_keys: [{name: a}]}", "give either secret"),
        (
            "telemetry: {ingest_keys: [{name: a, secret: '${env:SENDER}'}, {name: b, secret: '${env:SENDER}'}]}",
            "is the same as that of telemetry.ingest_keys[0]",
        ),
        ("telemetry: {ingest_keys: [{name: a, secret: '${env:SENDER}', items_per_s: 0}]}", "greater than 0"),
        ("listen: {ingest: [nowhere]}", "is not an address"),
        (FILE + "listen: {ingest: ['127.0.0.1:8080']}", "127.0.0.1:8080 is listened on already"),
        (FILE + "listen: {ingest: ['127.0.0.1:4318', '127.0.0.1:4318']}", "127.0.0.1:4318 is listened on already"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        loaded(tmp_path, text)
    assert said in str(refused.value.problems)


def test_keys_are_followed_by_those_who_take_in_and_everything_else_waits_for_a_restart(tmp_path: Path) -> None:
    before = loaded(tmp_path, FILE)
    fewer = loaded(tmp_path, FILE.replace("name: plain", "name: renamed"))
    assert later_changes(before, fewer) == []
    assert later_changes(before, loaded(tmp_path, FILE + "  batch_size: 100\n")) == [("telemetry", "batch_size")]
    none = loaded(tmp_path, "org: acme")
    assert ("telemetry", "ingest_keys") in later_changes(none, before)  # there is no process yet that could
    moved = loaded(tmp_path, FILE + "listen: {ingest: ['127.0.0.1:9999']}\n")
    assert fixed_changes(before, moved) == [("listen", "ingest")]


def test_whoever_has_keys_sent_in_plain_text_is_warned(tmp_path: Path) -> None:
    opened = FILE + "listen: {ingest: ['0.0.0.0:4318', '127.0.0.1:4317', 'unix:/run/ingest.sock']}\n"
    assert [path for path, _ in warnings(loaded(tmp_path, opened))] == [("listen", "ingest", 0)]
    assert list(warnings(loaded(tmp_path, "listen: {ingest: ['0.0.0.0:4318']}"))) == []


def test_without_keys_no_process_is_started_for_telemetry(tmp_path: Path) -> None:
    def names(text: str) -> set[str]:
        file = tmp_path / "foregate.yaml"
        file.write_text(text)
        launch = Launch(load(file, {"SENDER": SECRET}), DataDir(tmp_path), 1, LogStyle(), {})
        return {spec.name for spec in child_specs(launch) if spec.name.startswith("ingest")}

    assert names("org: acme") == set()
    assert names(FILE) == {"ingest-0", "ingest-1", "ingest-2"}
