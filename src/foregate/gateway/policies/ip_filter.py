"""Who may come in by address: `deny` is asked first, then `allow`.

The address is the client's own, or what trusted proxies say of it (`forwarded`). One that is in no list passes unless
there is an `allow`. A client on a Unix socket has no address: it is in no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway.policies.networks import Networks
from foregate.gateway.policies.policy import Means, Place, Policy, Refuse
from foregate.wire.policies import IpFilter

if TYPE_CHECKING:
    from foregate.gateway.request import Request

ADDRESSES_MAX = 16_384  # judged addresses remembered per filter; beyond it all are forgotten and judged anew
_REFUSAL = Refuse("forbidden", "This address may not come in.")


def decide(address: str, allow: Networks | None, deny: Networks) -> bool:
    """Whether an address may come in."""
    return not deny.covers(address) and (allow is None or allow.covers(address))


class IpFilterPolicy(Policy):
    """Judges each address once."""

    name = "ip_filter"

    def __init__(self, settings: IpFilter, means: Means, place: Place) -> None:
        self._allow = Networks(settings.allow) if settings.allow else None
        self._deny = Networks(settings.deny)
        self._judged: dict[str, Refuse | None] = {}

    def admit(self, request: Request) -> Refuse | None:
        try:
            return self._judged[request.client]
        except KeyError:
            return self._judge(request.client)

    def _judge(self, address: str) -> Refuse | None:
        if len(self._judged) >= ADDRESSES_MAX:
            self._judged.clear()
        verdict = None if decide(address, self._allow, self._deny) else _REFUSAL
        self._judged[address] = verdict
        return verdict
