"""Telling somebody outside."""

from typing import Protocol

from foregate.wire.alert import Alert


class Notifier(Protocol):
    def notify(self, alert: Alert) -> None:
        """Deliver, or raise OSError with a reason fit for the log. May block for seconds: call it off the loop."""
        ...
