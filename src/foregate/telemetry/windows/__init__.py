"""Windows over events, as a pure value: no clock, no I/O, the same code live, in the lab and in training.

Consumes `wire.event.RequestEvent`s in any order, those of the past apart; emits `StoredWindow` (tumbling, mergeable),
`Tick` (hopping, every 10 s) and closed minutes. Promises: independent of batching and order within `LATE_EVENT_S`;
hopping windows equal a recomputation from their panes; quantiles within 1 %; entities, windows, sketches are bounded.
"""

from foregate.telemetry.sketch import Sketch
from foregate.telemetry.windows.windower import RESTORE_S, Windower, WindowKey

__all__ = ["RESTORE_S", "Sketch", "WindowKey", "Windower"]
