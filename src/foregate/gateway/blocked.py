"""Who is blocked, as this worker knows: asked first of all by address, and again once it is known whose key it is.

Ordinary requests pay a look at an empty dict. A block ends by itself, whether or not anybody is there to say so; the
allow list of the configuration wins over every block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from foregate.gateway.answers import retry_after_line
from foregate.gateway.policies.networks import Networks
from foregate.gateway.policies.policy import Refuse
from foregate.wire.abuse import Abuse
from foregate.wire.verdicts import MANUAL, Block, address_subject

NOTE = "blocked:refused"  # what the event says of a request that was refused by its address
_NETWORKS = Networks(())


class Blocked:
    """`addresses` and `keys`: subject → until when (Unix seconds); empty while nobody is blocked. `now`: Unix time."""

    __slots__ = ("_allowed_keys", "_allowed_networks", "_now", "addresses", "keys")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.addresses: dict[str, float] = {}
        self.keys: dict[str, float] = {}
        self._allowed_networks = _NETWORKS
        self._allowed_keys: frozenset[str] = frozenset()

    def follow(self, blocks: Iterable[Block], settings: Abuse) -> None:
        """These are in force, as far as the settings let them: only those by hand, unless the mode is `block`."""
        automatic = settings.mode == "block"
        found = {block.subject: block.until_s for block in blocks if automatic or block.rule == MANUAL}
        self._allowed_networks = Networks(settings.allow_networks) if found else _NETWORKS
        self._allowed_keys = frozenset(settings.allow_keys)
        self.addresses = {subject: until_s for subject, until_s in found.items() if subject.startswith("ip:")}
        self.keys = {subject[4:]: until_s for subject, until_s in found.items() if subject.startswith("key:")}

    def of_address(self, client: str) -> Refuse | None:
        """Why a request from there is refused."""
        subject = address_subject(client) if ":" in client else f"ip:{client}"
        until_s = self.addresses.get(subject)
        if until_s is None or self._allowed_networks.covers(client):
            return None
        return self._until(self.addresses, subject, until_s)

    def of_key(self, consumer_id: str) -> Refuse | None:
        """Why a request with this consumer's key (or token) is refused."""
        until_s = self.keys.get(consumer_id)
        if until_s is None or consumer_id in self._allowed_keys:
            return None
        return self._until(self.keys, consumer_id, until_s)

    def _until(self, blocks: dict[str, float], name: str, until_s: float) -> Refuse | None:
        left_s = until_s - self._now()
        if left_s <= 0.0:
            del blocks[name]
            return None
        return Refuse("blocked", lines=retry_after_line(left_s))

    def in_force(self) -> int:
        """How many are blocked; those whose time is over are forgotten."""
        if not self.addresses and not self.keys:
            return 0
        now_s = self._now()
        for blocks in (self.addresses, self.keys):
            for name in [name for name, until_s in blocks.items() if until_s <= now_s]:
                del blocks[name]
        return len(self.addresses) + len(self.keys)
