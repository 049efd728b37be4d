"""Detectors: one per file, each an online score of how unusual a value is for its own series, over many at once.

`Fused` is the one default configuration. Every detector keeps the promises of `Bank`.
"""

from foregate.predict.detectors.detector import SCORE_MAX, Bank, Single
from foregate.predict.detectors.fused import Fused, Verdict
from foregate.predict.detectors.joint import JointPca

__all__ = ["SCORE_MAX", "Bank", "Fused", "JointPca", "Single", "Verdict"]
