"""Adding up what became of telemetry: pure. `wire.accounts.Account` says what each number means."""

from collections.abc import Mapping
from typing import NamedTuple

from foregate.wire.accounts import Account, Kind


class Intake(NamedTuple):
    """What never came as far as the bus: of an intake, the import, and of gateways whose spools were full."""

    duplicate: int = 0
    invalid: int = 0
    shed: int = 0


class OnBus(NamedTuple):
    """Items ever `appended`; those `lost` were deleted unread at the bus's bound, those `waiting` are to be read."""

    appended: int = 0
    lost: int = 0
    waiting: int = 0


def account(kind: Kind, intake: Intake, bus: OnBus, stored: Mapping[str, int]) -> Account:
    """`stored`: the outcomes that the store which reads the bus has counted, since ever.

    What was received is what was durably taken in, and what was turned away. An item that a sender was never told of
    (the process was killed between the bus and the answer) is one that was taken in. `Account.missing` is therefore
    what the bus has taken and nobody has accounted for.
    """
    return Account(
        kind,
        received=bus.appended + intake.duplicate + intake.invalid + intake.shed,
        accepted=stored.get("accepted", 0),
        duplicate=intake.duplicate + stored.get("duplicate", 0),
        invalid=intake.invalid + stored.get("invalid", 0),
        shed=intake.shed,
        late=stored.get("late", 0),
        lost=bus.lost,
        waiting=bus.waiting,
    )
