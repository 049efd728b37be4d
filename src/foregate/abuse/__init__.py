"""Abuse detection: consumes request events, says whom to block, for how long and why. In the analyzer process.

`Detector` remembers what every address and key does of late and what is usual for it, within bounds, and gives
findings; `decide` makes decisions of them. Promise: what clients are not to blame for (5xx, limits, a rush of
everybody) is not held against them, and an allowed subject is never blocked. Files and processes are `app.abuse`'s.
"""

from foregate.abuse.detector import Detector as Detector
from foregate.abuse.detector import Finding as Finding
from foregate.abuse.judge import decide as decide
from foregate.abuse.judge import is_allowed as is_allowed
from foregate.abuse.judge import length_s as length_s
from foregate.abuse.sketches import Uniques as Uniques
