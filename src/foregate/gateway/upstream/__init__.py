"""The way to a service: its targets, their connections, and which one is next."""

from foregate.gateway.upstream.balance import choose, retry_after_s
from foregate.gateway.upstream.pool import Pool
from foregate.gateway.upstream.target import ServiceState, TargetState

__all__ = ["Pool", "ServiceState", "TargetState", "choose", "retry_after_s"]
