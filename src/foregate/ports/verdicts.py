"""Where decisions about abuse are kept, with who undid them; and the verdicts that follow from them for the workers."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from foregate.wire.decision import AuditLine, Decision
from foregate.wire.verdicts import RolledBack, Verdicts

BLOCKS_MAX = 10_000  # told to the workers; beyond it those that end soonest are left out


class VerdictStore(Protocol):
    """For several processes at once. Each call is one durable transaction; each may raise OSError."""

    def version(self) -> int:
        """Grows with every change of what is in force."""
        ...

    def verdicts(self, now_s: float) -> Verdicts:
        """All that is in force for the workers, and the version it is of."""
        ...

    def in_force(self, now_s: float) -> list[Decision]:
        """Blocks, and those that are only observed; the newest first."""
        ...

    def recent(self, limit: int) -> list[Decision]:
        """The newest first, whatever became of them."""
        ...

    def times(self, subject: str, since_s: float) -> int:
        """How often detection has blocked a subject, where that ended after `since_s` and nobody has undone it."""
        ...

    def put(self, decisions: Sequence[Decision], line: AuditLine | None = None) -> None:
        """Keep new decisions, and who made them if that was an operator. One in force on the same subject ends."""
        ...

    def undo(self, decision_id: str, line: AuditLine, leave_alone_until_s: float) -> Decision | None:
        """End one that is in force, and leave its subject alone until then. None when there is no such."""
        ...

    def left_alone(self, now_s: float) -> Mapping[str, float]:
        """Subject → until when detection leaves it alone."""
        ...

    def audit(self, limit: int) -> list[AuditLine]:
        """What operators have done, the newest first."""
        ...

    def roll_back(self, canaries: Sequence[RolledBack]) -> None:
        """These are rolled back from now on; another one of the same route is forgotten."""
        ...

    def resume(self, route: str, line: AuditLine) -> RolledBack | None:
        """A route's canary goes on. None when it was not rolled back."""
        ...

    def keep(self, name: str, value: bytes) -> None:
        """A note that outlives a restart; the one of this name before is gone."""
        ...

    def kept(self, name: str) -> bytes | None: ...

    def expire(self, older_than_s: float) -> int:
        """Delete decisions and audit lines from before. Those in force stay. Returns how many rows."""
        ...

    def close(self) -> None: ...
