"""Which partitions are this machine's: Kafka's consumer group divides them, and divides anew when one comes or goes.

The consumer of the group fetches nothing; it only is a member. It gives up a partition while it is asked
(`assigned`), so between two steps of a reader and never within one: the next owner finds the offsets stored. A machine
that hangs in a step for longer than the session lasts is the exception: its step may still be stored, after the next
owner began where it had begun. A store that is shared must refuse offsets that go back.
"""

from typing import Any

from confluent_kafka import Consumer, TopicPartition

from foregate.adapters.distributed.kafka.connection import client_settings, failures_of
from foregate.wire.bus import Kafka

_LOOK_S = 0.0
_FIRST_LOOK_S = 0.1


class Member:
    """In the group of one reader. `name`: of the topic whose partitions are divided, and all others' with them."""

    def __init__(self, kafka: Kafka, group: str, name: str) -> None:
        self._kafka = kafka
        self._mine: tuple[int, ...] = ()
        self._consumer = Consumer(
            client_settings(kafka)
            | {
                "group.id": group,
                "enable.auto.commit": False,
                "session.timeout.ms": int(kafka.session_s * 1_000),
                "heartbeat.interval.ms": int(kafka.session_s * 200),
                "partition.assignment.strategy": "range",
            }
        )
        with failures_of(kafka):
            self._consumer.subscribe([name], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)

    def partitions(self) -> tuple[int, ...]:
        """Those that are this machine's now; none until the group has divided them."""
        with failures_of(self._kafka):
            self._consumer.poll(_LOOK_S if self._mine else _FIRST_LOOK_S)
        return self._mine

    def _assigned(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        consumer.assign(partitions)
        consumer.pause(partitions)
        self._mine = tuple(sorted(each.partition for each in partitions))

    def _revoked(self, consumer: Any, _: list[TopicPartition]) -> None:
        consumer.unassign()
        self._mine = ()

    def close(self) -> None:
        """Leave: the others need not wait for the session to end."""
        with failures_of(self._kafka):
            self._consumer.close()
