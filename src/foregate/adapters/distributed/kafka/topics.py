"""Kafka's topics for ours: their names, how many partitions they have, and how those that are missing are made."""

import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata, NewTopic  # type: ignore[attr-defined]

from foregate.adapters.distributed.kafka.connection import client_settings, unreachable
from foregate.adapters.distributed.kafka.counting import COUNTS
from foregate.kernel.clock import Clock
from foregate.wire import TOPIC_EVENTS
from foregate.wire.bus import Kafka

_LOOK_EVERY_S = 0.05
_COUNTS_SEGMENT_BYTES = 16_777_216  # Kafka compacts whole segments alone


class Topics:
    """Raises OSError where the brokers cannot be asked, or have a topic that does not fit."""

    def __init__(self, kafka: Kafka, clock: Clock) -> None:
        self._kafka = kafka
        self._clock = clock
        self._admin = AdminClient(client_settings(kafka))
        self._known: set[str] = set()  # bounded by the topics that the code names
        self.partitions = kafka.partitions
        self.partitions = self._ensure(kafka.topic_raw)

    def kafka_name(self, topic: str) -> str:
        """What ours is called there; made if it is not there yet, with as many partitions as the events have."""
        name = self._kafka.topic_raw if topic == TOPIC_EVENTS else self._kafka.topic_prefix + topic
        if name not in self._known:
            if (found := self._ensure(name)) != self.partitions:
                raise unreachable(
                    self._kafka,
                    f"the topic {name} has {found} partitions and {self._kafka.topic_raw} has {self.partitions}: "
                    "they must have the same",
                )
            self._known.add(name)
        return name

    def ours(self) -> list[str]:
        """Our names of the topics that are there."""
        raw, prefix = self._kafka.topic_raw, self._kafka.topic_prefix
        there = set(self._metadata().topics)
        others = {name.removeprefix(prefix) for name in there if name.startswith(prefix) and name != raw} - {COUNTS}
        return sorted(others | ({TOPIC_EVENTS} if raw in there else set()))

    def _ensure(self, name: str) -> int:
        """The topic's partitions, made when it is missing: by us, or where we may not, by the brokers themselves."""
        found = self._metadata().topics.get(name)
        if found is not None and found.partitions:
            return len(found.partitions)
        self._make(name)
        until_s = self._clock.monotonic() + self._kafka.timeout_s
        while self._clock.monotonic() < until_s:
            made = self._metadata(name).topics[name]
            if made.error is None and made.partitions:
                return len(made.partitions)
            time.sleep(_LOOK_EVERY_S)  # the brokers tell one another first
        raise unreachable(self._kafka, f"the topic {name} was made, but is not there: {made.error}")

    def _make(self, name: str) -> None:
        kafka = self._kafka
        config = {"retention.ms": str(kafka.retention_hours * 3_600_000)}
        if name == kafka.topic_prefix + COUNTS:
            config = {"cleanup.policy": "compact", "segment.bytes": str(_COUNTS_SEGMENT_BYTES)}
        wanted = NewTopic(name, self.partitions, kafka.replicas, config=config)
        made = self._admin.create_topics([wanted], operation_timeout=kafka.timeout_s)[name]
        try:
            made.result(kafka.timeout_s)
        except TimeoutError as error:  # has no words of its own
            raise unreachable(kafka, f"the topic {name} was not made within {kafka.timeout_s:g} s") from error
        except KafkaException as error:
            code = error.args[0].code()
            if code != KafkaError.TOPIC_ALREADY_EXISTS:  # another process was first
                raise unreachable(kafka, f"the topic {name} cannot be made: {error.args[0].str()}") from error

    def _metadata(self, topic: str | None = None) -> ClusterMetadata:
        try:
            if topic is None:
                return self._admin.list_topics(timeout=self._kafka.timeout_s)
            return self._admin.list_topics(topic, timeout=self._kafka.timeout_s)
        except KafkaException as error:
            self._admin.poll(0)  # it has more to say
            raise unreachable(self._kafka, error) from error
