"""Counts of windows in cells: the window's number and its count in one float64, so that no reader sees half of them.

    cell = (window mod 2^20) · 2^32 + count in units        52 bits, exact in a float64

Even windows are in `a`, odd ones in `b`: the present window and the one before it never share a cell.
"""

SPAN = float(1 << 32)
WINDOWS = 1 << 20  # after so many unused windows a cell would be taken for a present one; it has expired long before


def count(cells: tuple[float, ...], window: int) -> float:
    """Units counted in `window` by all workers."""
    base = (window % WINDOWS) * SPAN
    total = 0.0
    for cell in cells[window & 1 :: 2]:
        units = cell - base
        if 0.0 < units < SPAN:
            total += units
    return total


def added(cell: float, window: int, units: float) -> float:
    """The own cell of `window` with `units` more; what it held of an older window is gone. Stops below 2^32."""
    base = (window % WINDOWS) * SPAN
    had = cell - base
    if not 0.0 <= had < SPAN:
        had = 0.0
    return base + min(had + units, SPAN - 1.0)


def own_pair(cells: tuple[float, ...], own: int, window: int, units: float) -> tuple[float, float]:
    """The worker's own pair with `units` more in `window`."""
    a, b = cells[own], cells[own + 1]
    if window & 1:
        return a, added(b, window, units)
    return added(a, window, units), b


def merge(cells: tuple[float, ...]) -> tuple[float, float]:
    """All pairs as one: of the newest even and of the newest odd window the sums."""
    pair = []
    for column in (cells[::2], cells[1::2]):
        window = max(int(cell // SPAN) for cell in column)
        units = sum(cell - window * SPAN for cell in column if int(cell // SPAN) == window)
        pair.append(window * SPAN + min(units, SPAN - 1.0))
    return pair[0], pair[1]
