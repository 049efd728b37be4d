"""Mirrored traffic: a second service is asked the same, and its answers are compared. `policies/mirror.py` decides."""

from foregate.gateway.mirror.compare import Answered, differences
from foregate.gateway.mirror.shadow import Mirrored, Shadows

__all__ = ["Answered", "Mirrored", "Shadows", "differences"]
