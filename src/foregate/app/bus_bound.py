"""Holds the bus within its bounds: looks now and then, deletes what is old and read, and what is missed least when
there is too much.

A batch that all its readers have stored goes first, of whichever topic; verdicts, which are in findings.sqlite, have
no reader. Only when that is not enough do others go, and are counted as lost: `_LEAST_MISSED` says in which order.
"""

from collections.abc import Sequence

import structlog

from foregate.app.bus_readers import BusReader
from foregate.kernel.clock import Clock
from foregate.kernel.limits import BUS_RETENTION_S
from foregate.ports.bus import Bus
from foregate.wire import TOPIC_EVENTS, TOPIC_HISTORY, TOPIC_LOGS, TOPIC_POINTS, TOPIC_SPANS

LOOK_EVERY_S = 5.0
EXPIRE_EVERY_S = 60.0
_LEAST_MISSED = (TOPIC_POINTS, TOPIC_LOGS, TOPIC_SPANS, TOPIC_HISTORY, TOPIC_EVENTS)


class BusBound:
    """Call `keep` as often as you like."""

    def __init__(
        self, bytes_max: int, readers: Sequence[BusReader], clock: Clock, log: structlog.typing.FilteringBoundLogger
    ) -> None:
        self.deleted_items = 0  # at the bound, since the start
        self.lost_items = 0  # those of them that not all readers had read
        self._bytes_max = bytes_max
        self._readers = readers
        self._clock = clock
        self._log = log
        self._next_look_s = 0.0
        self._next_expiry_s = clock.monotonic() + EXPIRE_EVERY_S  # not at once: who asks is to move events first

    def keep(self, bus: Bus) -> None:
        """Look when it is time to. Raises OSError."""
        now_s = self._clock.monotonic()
        if now_s < min(self._next_expiry_s, self._next_look_s) or bus.bytes_used == 0:
            return  # a bus that says 0 bounds itself, and to read what is unread of it would cost its brokers much
        if now_s >= self._next_expiry_s:
            self._next_expiry_s = now_s + EXPIRE_EVERY_S
            self._expire(bus)
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + LOOK_EVERY_S
            if bus.bytes_used > self._bytes_max:
                self._trim(bus)

    def _expire(self, bus: Bus) -> None:
        """Delete what is older than its retention and was read by all."""
        old_s = self._clock.now() - BUS_RETENTION_S
        for topic in bus.topics():
            unread = (bus.read(topic, at, after, 1) for at, after in self._read_to(bus, topic).items())
            first_unread_s = min((batches[0].time_s for batches in unread if batches), default=old_s)
            bus.expire(topic, min(old_s, first_unread_s))

    def _trim(self, bus: Bus) -> None:
        deleted = unread = 0
        topics = sorted(bus.topics(), key=_missed)
        read_to = {topic: self._read_to(bus, topic) for topic in topics}
        for with_unread in (False, True):
            for topic in topics:
                gone = bus.trim(topic, self._bytes_max, read_to[topic], unread=with_unread)
                deleted += gone.items
                unread += gone.unread_items
        self.deleted_items += deleted
        self.lost_items += unread
        used = bus.bytes_used
        say = self._log.error if unread or used > self._bytes_max else self._log.info
        say(
            "bus_at_its_bound",
            bytes_max=self._bytes_max,
            bytes_used=used,
            deleted=deleted,
            unread=unread,
            deleted_in_all=self.deleted_items,
            unread_in_all=self.lost_items,
        )

    def _read_to(self, bus: Bus, topic: str) -> dict[int, int]:
        """How far all its readers have come; everything where it has none. One that cannot be asked has read nothing:
        that must not lift the bound."""
        read_to = {at: bus.last_offset(topic, at) for at in range(bus.partitions)}
        for reader in self._readers:
            if topic not in reader.topics:
                continue
            try:
                own = reader.read_to(bus, topic)
            except OSError as error:
                self._log.error("offsets_not_read", reader=reader.name, topic=topic, error=str(error))
                own = {}
            read_to = {at: min(offset, own.get(at, -1)) for at, offset in read_to.items()}
        return read_to


def _missed(topic: str) -> int:
    return _LEAST_MISSED.index(topic) if topic in _LEAST_MISSED else -1
