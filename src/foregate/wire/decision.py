"""A decision about one who abuses the gateway, as it is kept: what was seen, what follows, and how it ended."""

from typing import Literal

import msgspec

from foregate.wire.verdicts import Block

Effect = Literal["block", "observe"]


class Decision(msgspec.Struct, frozen=True):
    """`subject` is blocked (or, observed only, would be) until `until_s`, unless an operator has `ended_s` it before.

    `since_s`: when the evidence began; `made_s`: when it was decided. `by`: who blocked it by hand, "" for detection.
    Times are Unix seconds.
    """

    id: str
    subject: str
    rule: str
    reason: str
    effect: Effect
    times: int
    since_s: float
    made_s: float
    until_s: float
    by: str = ""
    ended_s: float | None = None
    ended_by: str = ""

    def in_force(self, now_s: float) -> bool:
        """Whether it (still) holds."""
        return self.ended_s is None and now_s < self.until_s

    @property
    def block(self) -> Block:
        """As the workers are told."""
        return Block(self.subject, self.until_s, self.reason, self.rule, self.times, self.since_s, self.id)


class AuditLine(msgspec.Struct, frozen=True):
    """An operator has blocked or unblocked somebody, or let a canary go on (`subject`: its route).

    `by`: through what ("console", "cli").
    """

    time_s: float
    action: Literal["block", "undo", "resume"]
    subject: str
    decision_id: str
    by: str
    note: str = ""
