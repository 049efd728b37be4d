"""How long a stream may take: what the client owes of a body, and how slowly it may take an answer. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.kernel import limits

if TYPE_CHECKING:
    from foregate.http1.context import ServerContext


class Pace:
    """Of one stream. Times are monotonic seconds, sizes bytes so far."""

    __slots__ = ("_answered", "body_s", "mark_bytes", "mark_s", "stall_bytes", "stall_s")

    def __init__(self, now_s: float) -> None:
        self.body_s = self.mark_s = now_s  # when the body went on last; since when its rate is measured …
        self.mark_bytes = 0  # … and from which size
        self.stall_s = -1.0  # since when an answer has been waiting for the client; < 0: none has
        self.stall_bytes = 0  # what of it had been sent then
        self._answered = False

    def begin_again(self, now_s: float, received: int) -> None:
        """We did not take the body for a while: that is not the client's fault."""
        self.body_s = self.mark_s = now_s
        self.mark_bytes = received

    def body_late(self, context: ServerContext, now_s: float, received: int, begun: bool) -> bool:
        """Whether a body that somebody waits for comes too slowly; its rate counts until the answer has `begun`."""
        if now_s - self.body_s > context.idle_timeout_s:
            return True
        measured_s = now_s - self.mark_s
        if begun or not context.body_bytes_per_s_min:
            self.mark_s, self.mark_bytes = now_s, received
        elif measured_s >= context.body_rate_window_s:
            if received - self.mark_bytes < context.body_bytes_per_s_min * measured_s:
                return True
            self.mark_s, self.mark_bytes = now_s, received
        return False

    def stalled(self, context: ServerContext, now_s: float, sent: int, queued: int) -> bool:
        """Whether the client's window has let nearly nothing of an answer go (`queued` waits) for too long."""
        if not queued:
            self.stall_s = -1.0
        elif self.stall_s < 0.0:
            self.stall_s, self.stall_bytes = now_s, sent
        elif now_s - self.stall_s >= context.idle_timeout_s:
            if sent - self.stall_bytes < limits.H2_STALL_BYTES_MIN:
                return True
            self.stall_s, self.stall_bytes = now_s, sent
        return False

    def lingered(self) -> bool:
        """Asked of a stream whose answer is out while its request goes on: a small rest may still come, until asked
        again. Some clients take a reset for a failure, though they have the answer."""
        before, self._answered = self._answered, True
        return before
