"""Counts of windows in cells: the window's number and its count in one float64, so that no reader sees half of them.

    cell = (window mod 2^20) · 2^32 + count in units        52 bits, exact in a float64
    base = that cell at a count of 0

Even windows are in `a`, odd ones in `b`: the present window and the one before it never share a cell.
"""

SPAN = float(1 << 32)
WINDOWS = 1 << 20  # after so many unused windows a cell would be taken for a present one; it has expired long before


def base_of(window: int) -> float:
    """The cell of a window in which nothing is counted yet."""
    return (window % WINDOWS) * SPAN


def count(cells: tuple[float, ...], odd: int, base: float) -> float:
    """Units counted in one window by all workers; `odd` is 1 for an odd window."""
    total = 0.0
    for cell in cells[odd::2] if len(cells) > 2 else (cells[odd],):
        units = cell - base
        if 0.0 < units < SPAN:
            total += units
    return total


def with_more(cells: tuple[float, ...], own: int, odd: int, base: float, units: float) -> tuple[float, float]:
    """The own pair with `units` more in a window; what its cell held of an older one is gone. Stops below 2^32."""
    had = cells[own + odd] - base
    if not 0.0 <= had < SPAN:
        had = 0.0
    had += units
    cell = base + (had if had < SPAN else SPAN - 1.0)
    return (cells[own], cell) if odd else (cell, cells[own + 1])


def with_less(cells: tuple[float, ...], own: int, odd: int, base: float, units: float) -> tuple[float, float] | None:
    """The own pair with `units` less in a window, not below 0; None when its cell holds another window by now."""
    had = cells[own + odd] - base
    if not 0.0 <= had < SPAN:
        return None
    cell = base + max(0.0, had - units)
    return (cells[own], cell) if odd else (cell, cells[own + 1])


def settled(
    cells: tuple[float, ...], own: int, taken: int, window: int, had: float, used: float
) -> tuple[float, float] | None:
    """The own pair once `used` units stand in for the `had` that were counted in the window `taken`.

    What is given back leaves the window that it was counted in; what is missing is counted in the present `window`.
    """
    if used < had:
        return with_less(cells, own, taken & 1, base_of(taken), had - used)
    return with_more(cells, own, window & 1, base_of(window), used - had) if used > had else None


def newest(pair: tuple[float, float]) -> int:
    """The number of the newest window in a pair."""
    return int(max(pair) // SPAN)


def merge(cells: tuple[float, ...]) -> tuple[float, float]:
    """All pairs as one: of the newest even and of the newest odd window the sums."""
    pair = []
    for column in (cells[::2], cells[1::2]):
        window = max(int(cell // SPAN) for cell in column)
        units = sum(cell - window * SPAN for cell in column if int(cell // SPAN) == window)
        pair.append(window * SPAN + min(units, SPAN - 1.0))
    return pair[0], pair[1]
