"""Holds the bus within its bound: looks now and then, and deletes what is missed least when it is reached.

The events alone have a reader that must not lose any. Verdicts are on the bus for whoever wants to listen; they are
kept in findings.sqlite, so they go first.
"""

from collections.abc import Callable

import structlog

from foregate.app.stores import SeriesStore
from foregate.kernel.clock import Clock
from foregate.ports.bus import Bus
from foregate.wire import TOPIC_EVENTS

LOOK_EVERY_S = 5.0


class BusBound:
    """Call `keep` as often as you like. `open_series`: the store in which the analyzer says how far it has read."""

    def __init__(
        self,
        bytes_max: int,
        open_series: Callable[[], SeriesStore],
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self.deleted_items = 0  # since the start
        self.lost_items = 0  # those of them that the analyzer had not read
        self._bytes_max = bytes_max
        self._open_series = open_series
        self._clock = clock
        self._log = log
        self._next_s = 0.0

    def keep(self, bus: Bus) -> None:
        """Look when it is time to. Raises OSError."""
        if self._clock.monotonic() < self._next_s:
            return
        self._next_s = self._clock.monotonic() + LOOK_EVERY_S
        if bus.bytes_used <= self._bytes_max:
            return
        others = sum(
            bus.trim(topic, self._bytes_max, _everything(bus, topic)).items
            for topic in bus.topics()
            if topic != TOPIC_EVENTS
        )
        events = bus.trim(TOPIC_EVENTS, self._bytes_max, self._read_to(bus))
        self.deleted_items += others + events.items
        self.lost_items += events.unread_items
        used = bus.bytes_used
        say = self._log.error if events.unread_items or used > self._bytes_max else self._log.info
        say(
            "bus_at_its_bound",
            bytes_max=self._bytes_max,
            bytes_used=used,
            deleted=others + events.items,
            unread=events.unread_items,
            deleted_in_all=self.deleted_items,
            unread_in_all=self.lost_items,
        )

    def _read_to(self, bus: Bus) -> dict[int, int]:
        """How far the analyzer has come; nowhere when its store cannot be asked, which must not lift the bound."""
        try:
            series = self._open_series()
        except OSError as error:
            self._log.error("offsets_not_read", error=str(error))
            return {}
        try:
            offsets = series.offsets()
            # One beyond the end is of another bus, that was here before this one.
            return {at: offset for at, offset in offsets.items() if offset <= bus.last_offset(TOPIC_EVENTS, at)}
        except OSError as error:
            self._log.error("offsets_not_read", error=str(error))
            return {}
        finally:
            series.close()


def _everything(bus: Bus, topic: str) -> dict[int, int]:
    return {at: bus.last_offset(topic, at) for at in range(bus.partitions)}
