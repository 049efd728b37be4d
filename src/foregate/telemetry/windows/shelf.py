"""Where tumbling windows live while events may still find them: made, put to sleep, let go."""

from collections.abc import Iterable

from foregate.telemetry.tally import Window
from foregate.wire.entity import Entity

_AWAKE_S = 30  # a window that ended so long ago sleeps as bytes; a late event wakes it up


class EntityWindows:
    """One entity's windows by (span, start), its row in the hopping arrays, and the start of its first pane."""

    __slots__ = ("entity", "first_s", "row", "windows")

    def __init__(self, entity: Entity, row: int) -> None:
        self.entity = entity
        self.row = row
        self.first_s: int | None = None
        self.windows: dict[tuple[int, int], Window] = {}


class Shelf:
    """All entities. `horizon_s`: windows that ended at or before it have been let go."""

    def __init__(self) -> None:
        self.entities: dict[Entity, EntityWindows] = {}
        self.horizon_s = 0
        self._awake: set[Window] = set()
        self._by_end: dict[int, list[tuple[EntityWindows, Window]]] = {}

    def find(self, entity: Entity, span_s: int, start_s: int) -> Window | None:
        """The window, if it is here."""
        of = self.entities.get(entity)
        return None if of is None else of.windows.get((span_s, start_s))

    def put(self, of: EntityWindows, window: Window) -> None:
        """Take in a window that is not here yet."""
        of.windows[window.span_s, window.start_s] = window
        self._by_end.setdefault(window.end_s, []).append((of, window))

    def touch(self, window: Window) -> None:
        """It counts as awake from now on."""
        self._awake.add(window)

    def let_go(self, horizon_s: int) -> list[EntityWindows]:
        """Drop windows that ended at or before `horizon_s`; returns the entities that have none left (dropped too)."""
        self.horizon_s = max(self.horizon_s, horizon_s)
        emptied: list[EntityWindows] = []
        for end_s in [end_s for end_s in self._by_end if end_s <= self.horizon_s]:
            for of, window in self._by_end.pop(end_s):
                self._awake.discard(window)
                del of.windows[window.span_s, window.start_s]
                if not of.windows:
                    emptied.append(of)
        for of in emptied:
            del self.entities[of.entity]
        return emptied

    def put_to_sleep(self, watermark_s: float) -> None:
        """Shrink the windows that are over; they are still here."""
        over = [window for window in self._awake if window.end_s < watermark_s - _AWAKE_S]
        for window in over:
            window.sleep()
        self._awake.difference_update(over)


class Minutes:
    """One-minute windows that nobody has been given yet, at most `windows_max` (beyond it the oldest minute goes)."""

    def __init__(self, windows_max: int) -> None:
        self._by_start: dict[int, list[tuple[Entity, Window]]] = {}
        self._windows_max = windows_max
        self._size = 0

    def put(self, entity: Entity, window: Window) -> None:
        self._by_start.setdefault(window.start_s, []).append((entity, window))
        self._size += 1
        while self._size > self._windows_max:
            self._size -= len(self._by_start.pop(min(self._by_start)))

    def take(self, until_s: float) -> Iterable[tuple[Entity, Window]]:
        """Those that ended at or before `until_s`, in order of (start, entity); they are not given again."""
        for start_s in sorted(start for start in self._by_start if start + 60 <= until_s):
            windows = self._by_start.pop(start_s)
            self._size -= len(windows)
            yield from sorted(windows, key=lambda pair: pair[0])
