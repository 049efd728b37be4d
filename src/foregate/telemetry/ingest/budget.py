"""What one ingest process holds at a time: posts, bytes, items. Beyond a bound senders are told to come again.

Where there are several keys, none may hold more than half of it: whoever sends slowly keeps nobody else out.
"""

from foregate.ports.blocks import Cells
from foregate.telemetry.ingest.counts import HELD_BYTES, REQUESTS, WAITING_ITEMS

KEY_SHARE = 0.5  # of posts and bytes
RETRY_S = 1.0  # after a bound was reached: a commit takes milliseconds


class Held:
    """What is held for one key."""

    __slots__ = ("held_bytes", "requests")

    def __init__(self) -> None:
        self.held_bytes = 0
        self.requests = 0


class Budget:
    """Counted by the loop's thread alone; `publish` shows it in `gauges`."""

    __slots__ = ("_bytes_max", "_gauges", "_items_max", "_requests_max", "held_bytes", "items", "requests", "shared")

    def __init__(self, items_max: int, bytes_max: int, requests_max: int, gauges: Cells) -> None:
        self._items_max = items_max
        self._bytes_max = bytes_max
        self._requests_max = requests_max
        self._gauges = gauges
        self.shared = False  # among several keys
        self.items = 0
        self.held_bytes = 0
        self.requests = 0

    def admits(self, held: Held, body_bytes: int) -> bool:
        """Whether there is room for one more post, with a body of so many bytes as far as that is known."""
        return (
            self.requests < self._requests_max
            and self.items < self._items_max
            and self.has_bytes(held, body_bytes)
            and not (self.shared and held.requests >= KEY_SHARE * self._requests_max)
        )

    def has_bytes(self, held: Held, more: int) -> bool:
        if self.shared and held.held_bytes + more > KEY_SHARE * self._bytes_max:
            return False
        return self.held_bytes + more <= self._bytes_max

    def has_items(self, more: int) -> bool:
        return self.items + more <= self._items_max

    def move(self, held: Held, *, requests: int = 0, held_bytes: int = 0) -> None:
        """Take (positive) or give back (negative), for a key."""
        self.requests += requests
        self.held_bytes += held_bytes
        held.requests += requests
        held.held_bytes += held_bytes

    def move_items(self, items: int) -> None:
        """The same of items that wait to be stored."""
        self.items += items

    def publish(self) -> None:
        """Have others see it: not with every post."""
        gauges = self._gauges
        gauges[REQUESTS] = self.requests
        gauges[HELD_BYTES] = self.held_bytes
        gauges[WAITING_ITEMS] = self.items
