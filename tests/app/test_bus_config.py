"""Which bus: said in the configuration, refused where it does not fit together, and given to who opens it."""

from pathlib import Path

import msgspec
import pytest

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.app.bus import open_bus
from foregate.app.config.load import load
from foregate.app.config.problems import ConfigRefused
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime
from foregate.kernel.clock import ManualClock
from foregate.wire.bus import Kafka

KAFKA = """
telemetry:
  bus:
    kafka:
      brokers: [kafka-0:9093, kafka-1:9093]
      tls: true
      user: foregate
      password: ${env:KAFKA_PASSWORD}
"""
ENVIRON = {"KAFKA_PASSWORD": "a secret of some length"}


def kafka_of(tmp_path: Path, text: str, **environ: str) -> Kafka:
    file = tmp_path / "foregate.yaml"
    file.write_text(text)
    return load(file, ENVIRON | environ).config.telemetry.bus.kafka


def test_kafka_is_a_setting_with_its_password_from_the_environment(tmp_path: Path) -> None:
    kafka = kafka_of(tmp_path, KAFKA)
    assert (kafka.brokers, kafka.user, kafka.password) == (
        ("kafka-0:9093", "kafka-1:9093"), "foregate", ENVIRON["KAFKA_PASSWORD"],
    )  # fmt: skip
    assert (kafka.topic_raw, kafka.group) == ("telemetry.raw", "")


def test_the_name_people_know_sets_the_topic_and_no_broker(tmp_path: Path) -> None:
    assert kafka_of(tmp_path, KAFKA, KAFKA_TOPIC_RAW="raw.events").topic_raw == "raw.events"
    assert kafka_of(tmp_path, "", KAFKA_TOPIC_RAW="raw.events").brokers == ()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("      group: shop\n", "set telemetry.store, too"),
        ("      certificate_file: a.pem\n", "certificate_file and key_file belong together"),
        ("      topic_raw: a b\n", "topic_raw"),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, more: str, sentence: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        kafka_of(tmp_path, KAFKA + more)
    assert sentence in str(refused.value.problems[0])


def test_a_password_in_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused) as refused:
        kafka_of(tmp_path, KAFKA.replace("${env:KAFKA_PASSWORD}", "written-down"))
    assert "written-down" not in str(refused.value.problems[0])


def test_a_group_is_fine_for_machines_with_one_store(tmp_path: Path) -> None:
    store = "  store: postgresql://foregate@127.0.0.1/foregate\n"
    assert kafka_of(tmp_path, KAFKA + "      group: shop\n" + store).group == "shop"


def test_what_the_children_are_told_keeps_all_of_it(tmp_path: Path) -> None:
    runtime = Runtime("", 0, "", 1, 0.5, bus=kafka_of(tmp_path, KAFKA))
    assert msgspec.json.decode(msgspec.json.encode(runtime), type=Runtime) == runtime


def test_without_kafka_the_bus_is_a_file(tmp_path: Path) -> None:
    bus = open_bus(DataDir(tmp_path), None, ManualClock(), reader="windows")
    assert isinstance(bus, EmbeddedBus)
    bus.close()
    assert (tmp_path / "bus.sqlite").exists()
