"""Alerts on their way to people: off the analyzer's thread, tried again, given up only with a word in the log.

What waits here is in memory: it dies with the analyzer's process. The alerts themselves are stored before.
"""

import queue
import threading

import structlog

from foregate.ports.notifier import Notifier
from foregate.wire.alert import Alert

WAITING_MAX = 1_000  # beyond it a notification is dropped and logged
WAITS_S = (1.0, 5.0, 30.0)  # before each further try


class Notifications:
    """A thread that tells `notifier` (None: nobody is told)."""

    def __init__(self, notifier: Notifier | None, log: structlog.typing.FilteringBoundLogger) -> None:
        self._notifier = notifier
        self._log = log
        self._queue: queue.Queue[Alert | None] = queue.Queue(WAITING_MAX)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)
        self._thread.start()

    def offer(self, alert: Alert) -> None:
        """Hand over without waiting."""
        if self._notifier is None:
            return
        try:
            self._queue.put_nowait(alert)
        except queue.Full:
            self._log.error("notification_dropped", alert=alert.id, reason="too many are waiting")

    def close(self, timeout_s: float = 6.0) -> None:
        """Deliver what waits, as far as the time allows, without further tries."""
        self._stop.set()
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            self._log.error("notifications_dropped", waiting=self._queue.qsize())
            return
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (alert := self._queue.get()) is not None:
            self._deliver(alert)

    def _deliver(self, alert: Alert) -> None:
        assert self._notifier is not None  # noqa: S101 - offer() takes nothing otherwise
        for wait_s in (*WAITS_S, None):
            try:
                self._notifier.notify(alert)
            except (OSError, ValueError) as error:  # ValueError: an address or a header that cannot be encoded
                if wait_s is None or self._stop.wait(wait_s):
                    self._log.error("notification_lost", alert=alert.id, error=str(error))
                    return
                self._log.warning("notification_failed", alert=alert.id, error=str(error), again_in_s=wait_s)
            else:
                return
