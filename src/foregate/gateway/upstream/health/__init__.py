"""Whether a target should get requests, beside its circuit: active checks, and outliers among those that do."""

from foregate.gateway.upstream.health.monitor import Monitor

__all__ = ["Monitor"]
