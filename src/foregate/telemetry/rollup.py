"""Windows of several shorter ones: hours, days, and whatever else is asked for. Pure."""

from collections.abc import Sequence

from foregate.telemetry.tally import Tally, Window
from foregate.wire.window import StoredWindow


def merge_windows(parts: Sequence[StoredWindow], span_s: int, start_s: float) -> StoredWindow:
    """One window of one entity from at least one of its parts: a `ports.series.Merge`.

    The numbers are sums, the highest the highest, the quantiles those of the merged sketches. Raises ValueError when a
    part cannot be read.
    """
    window = Window(int(start_s), span_s)
    for part in parts:
        window.merge(Tally.of(part))
    return StoredWindow(parts[0].entity, window.stats(), *window.encoded)
