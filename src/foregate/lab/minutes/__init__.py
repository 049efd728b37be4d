"""The lab as a generator: minute telemetry of whole companies, far faster than real time.

Consumes a `WorldPlan` (`plan` draws one) and emits `Telemetry`: per minute and API the columns of `wire.minutes`. The
mechanisms and the faults are those of the live lab, in closed form per step of 10 s instead of request by request;
`docs/explanations/lab-generator.md` says what is simplified and how far both agree. Promises: the same plan gives the
same bytes; nobody here looks at what is learned from it.
"""

from foregate.lab.minutes.plan import WorldPlan
from foregate.lab.minutes.telemetry import Telemetry, generate
from foregate.lab.minutes.worlds import PARTS, Part, plan, world

__all__ = ["PARTS", "Part", "Telemetry", "WorldPlan", "generate", "plan", "world"]
