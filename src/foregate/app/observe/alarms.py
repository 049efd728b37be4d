"""Somebody has to know when telemetry is lost, turned away, or not accounted for: a loop of the keeper, to the log."""

from collections.abc import Callable, Mapping, Sequence

import structlog

from foregate.kernel.clock import Clock
from foregate.wire.accounts import Account, Kind

LOOK_EVERY_S = 10.0
MISSING_FOR_S = 60.0  # sums are read one after the other, so for a moment they may disagree


class AccountsWatch:
    """Keeps `app.keeping.Keeping`. Says what has grown since the last look, and what has been missing for a minute."""

    def __init__(
        self, accounts: Callable[[], Sequence[Account]], clock: Clock, log: structlog.typing.FilteringBoundLogger
    ) -> None:
        self._accounts = accounts
        self._clock = clock
        self._log = log
        self._next_s = 0.0
        self._before: Mapping[Kind, Account] = {}
        self._missing_since_s: dict[Kind, float] = {}
        self._said: set[Kind] = set()

    def step(self) -> int:
        now_s = self._clock.monotonic()
        if now_s < self._next_s:
            return 0
        self._next_s = now_s + LOOK_EVERY_S
        found = {each.kind: each for each in self._accounts()}
        for kind, account in found.items():
            before = self._before.get(kind, account)
            if account.lost > before.lost:
                self._log.error("telemetry_lost", kind=kind, items=account.lost - before.lost, in_all=account.lost)
            if account.shed > before.shed:
                self._log.warning("telemetry_shed", kind=kind, items=account.shed - before.shed, in_all=account.shed)
            self._look_for_missing(account, now_s)
        self._before = found
        return 0

    def _look_for_missing(self, account: Account, now_s: float) -> None:
        kind = account.kind
        if account.missing == 0:
            self._missing_since_s.pop(kind, None)
            self._said.discard(kind)
            return
        since_s = self._missing_since_s.setdefault(kind, now_s)
        if now_s - since_s >= MISSING_FOR_S and kind not in self._said:
            self._said.add(kind)
            self._log.error("telemetry_not_accounted_for", kind=kind, items=account.missing, received=account.received)

    def close(self) -> None:
        """Nothing is held."""
