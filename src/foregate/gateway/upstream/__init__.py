"""The way to a service: its targets, their connections and health, and which one is next.

services = Services(clock, deadlines, rng, log)
states = services.apply(snapshot.services, cells_of)     # with every snapshot: what is known of targets stays
target = states["orders"].choose(now_s, subject, avoid)  # None: every circuit is open
target.began(now_s); ...; target.ended(now_s, ok, first_byte_s)
"""

from foregate.gateway.upstream.pool import Pool
from foregate.gateway.upstream.registry import Services
from foregate.gateway.upstream.service import ServiceState
from foregate.gateway.upstream.target import TargetState

__all__ = ["Pool", "ServiceState", "Services", "TargetState"]
