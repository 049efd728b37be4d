"""Limits shared by several machines: `take.lua` decides inside the server, `store.ValkeyLimits` asks it."""

from foregate.adapters.distributed.limits.store import ValkeyLimits

__all__ = ["ValkeyLimits"]
