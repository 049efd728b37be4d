"""Service level objectives: error budgets, burn rates, and the alerts that a spent budget raises.

Consumes closed minutes; emits alerts of kind "burn_rate" and states for people. Promises bounded memory, and that what
it says follows from the minutes alone: no model, no clock, no I/O. It is the reactive baseline beside the prediction.
"""

from foregate.predict.slo.objectives import Objectives
from foregate.predict.slo.rules import RULES, Rule

__all__ = ["RULES", "Objectives", "Rule"]
