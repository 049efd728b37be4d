"""What became of telemetry: every item ends as exactly one outcome.

    received = accepted + duplicate + invalid + shed + late + lost + waiting

`waiting` is no outcome: on its way through buffer, spool and bus, and not yet in a store.
"""

from typing import Literal, get_args

import msgspec

Kind = Literal["events", "spans", "logs", "points"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Outcome = Literal["accepted", "duplicate", "invalid", "shed", "late", "lost"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


class Account(msgspec.Struct, frozen=True):
    """Of one kind, since ever. `accepted`: in a store. `duplicate`: of a batch that was there. `invalid`: refused with
    a reason. `shed`: refused for want of room, and the sender knows. `late`: too old for the windows (it may be in the
    archive). `lost`: acknowledged, and gone."""

    kind: Kind
    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    invalid: int = 0
    shed: int = 0
    late: int = 0
    lost: int = 0
    waiting: int = 0

    @property
    def missing(self) -> int:
        """What the sums do not explain: 0, or somebody has to look."""
        ended = self.accepted + self.duplicate + self.invalid + self.shed + self.late + self.lost
        return self.received - ended - self.waiting
