"""How fast a client may send on a WebSocket: a schedule per rate (GCRA), with a second's worth in advance."""

from __future__ import annotations

_ADVANCE_S = 1.0


class Pace:
    """What has been read is passed on; the wait for more grows with it, so the rates hold over time."""

    __slots__ = ("_bytes_due_s", "_bytes_per_s", "_messages", "_messages_due_s", "_messages_per_s")

    def __init__(self, messages_per_s: float | None, bytes_per_s: float | None) -> None:
        self._messages_per_s = messages_per_s
        self._bytes_per_s = bytes_per_s
        self._messages = 0
        self._messages_due_s = self._bytes_due_s = 0.0  # when all that has come would have come at its rate

    @classmethod
    def of(cls, messages_per_s: float | None, bytes_per_s: float | None) -> Pace | None:
        """None where nothing is to be held."""
        return cls(messages_per_s, bytes_per_s) if messages_per_s or bytes_per_s else None

    def take(self, now_s: float, messages: int, size: int) -> float:
        """Count `messages` (of all time) and `size` further bytes. Seconds until more should be read."""
        wait_s = 0.0
        if self._messages_per_s is not None:
            fresh, self._messages = messages - self._messages, messages
            self._messages_due_s = max(self._messages_due_s, now_s) + fresh / self._messages_per_s
            wait_s = self._messages_due_s - _ADVANCE_S - now_s
        if self._bytes_per_s is not None:
            self._bytes_due_s = max(self._bytes_due_s, now_s) + size / self._bytes_per_s
            wait_s = max(wait_s, self._bytes_due_s - _ADVANCE_S - now_s)
        return wait_s
