"""Brokers for tests: the client's mock cluster, or the real one that `KAFKA_BROKERS` names (`make kafka-test`)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from confluent_kafka import Producer

from foregate.adapters.distributed.kafka.counting import COUNTS
from foregate.wire.bus import Kafka

REAL_BROKERS = os.environ.get("KAFKA_BROKERS", "")
TOPICS = ("alerts", "risks", "spans", COUNTS)


class KafkaServer:
    """`fresh` gives settings with topics that nobody else has."""

    def __init__(self, brokers: str, mock: Producer | None) -> None:
        self.brokers = brokers
        self._mock = mock
        self._numbers = count()

    def fresh(self, group: str = "") -> Kafka:
        prefix = f"t{os.getpid()}-{next(self._numbers)}."
        kafka = Kafka(
            brokers=(self.brokers,), topic_raw=f"{prefix}raw", topic_prefix=prefix, partitions=4, group=group,
            session_s=4.0 if self._mock is not None else 1.5, timeout_s=10.0,
        )  # fmt: skip
        if self._mock is not None:  # it makes topics when it is asked for them, and knows no other way
            for name in (kafka.topic_raw, *(prefix + topic for topic in TOPICS)):
                self._mock.list_topics(name, timeout=10)
        return kafka


@contextmanager
def kafka_server() -> Iterator[KafkaServer]:
    if REAL_BROKERS:
        yield KafkaServer(REAL_BROKERS, None)
        return
    mock = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 0})
    (broker,) = mock.list_topics(timeout=10).brokers.values()
    yield KafkaServer(f"{broker.host}:{broker.port}", mock)
    mock.purge()
