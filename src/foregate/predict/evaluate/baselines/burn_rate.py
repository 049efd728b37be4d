"""Multi-window, multi-burn-rate alerts for an objective of 99.9 % (The Site Reliability Workbook, chapter 5)."""

from typing import Final

import numpy as np

from foregate.predict.evaluate.baselines.trailing import Floats, trailing_sum
from foregate.predict.evaluate.system import System

OBJECTIVE: Final = 0.999
# (long window, short window, burn rate), in minutes: both windows must burn that fast.
RULES: Final = ((60, 5, 14.4), (360, 30, 6.0), (4_320, 360, 1.0))


def burn_rate(system: System) -> Floats:
    """The largest of the rules: from 1 on the workbook would alert."""
    errors, requests = system.of("errors"), system.of("requests")
    burns = {
        minutes: trailing_sum(errors, minutes) / np.maximum(trailing_sum(requests, minutes), 1.0) / (1 - OBJECTIVE)
        for minutes in {minutes for rule in RULES for minutes in rule[:2]}
    }
    scores: Floats = np.maximum.reduce([np.minimum(burns[long], burns[short]) / rate for long, short, rate in RULES])
    return scores
