"""Stands where an extension should that cannot be had: what it was to guard stays shut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway.policies.policy import Policy, Refuse

if TYPE_CHECKING:
    from foregate.gateway.request import Request


class AbsentPolicy(Policy):
    """Refuses every request with 500 `internal`. It is never taken over by another table: the real one may be there."""

    def __init__(self, name: str) -> None:
        self.name = name

    def admit(self, request: Request) -> Refuse:
        return Refuse("internal", "A policy of this route cannot be had.")
