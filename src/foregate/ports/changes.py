"""Where it is kept what was changed, and what the configuration was when it was last looked at."""

from collections.abc import Sequence
from typing import Final, Protocol

from foregate.wire.change import Change

CHANGES_MAX: Final = 10_000  # kept; the oldest go first


class ChangeStore(Protocol):
    """For several processes at once. Each call is one durable transaction; each may raise OSError."""

    def put(self, changes: Sequence[Change], note: bytes | None = None) -> None:
        """Keep these, one with a known id in its place; and what `noted` will give, in the same transaction."""
        ...

    def recent(self, limit: int, *, before_s: float | None = None) -> list[Change]:
        """The newest first; those that were made before that time."""
        ...

    def between(self, from_s: float, until_s: float, limit: int) -> list[Change]:
        """from_s ≤ time < until_s, the oldest first."""
        ...

    def noted(self) -> bytes | None:
        """The last note; None before there was one."""
        ...

    def close(self) -> None: ...
