"""Judging canaries: consumes events and risks, says which of them do worse than what they are to replace, and why."""

from foregate.predict.canary.arm import Arm
from foregate.predict.canary.judge import Counts, verdict
from foregate.predict.canary.watch import CanaryWatch, Watched

__all__ = ["Arm", "CanaryWatch", "Counts", "Watched", "verdict"]
