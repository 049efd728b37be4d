"""Where a gateway worker leaves its events: memory-mapped files that outlive it, and a thread that empties them.

`put` copies an encoded event into the page cache and is done: no system call, no lock, no wait. The flusher appends
what has gathered to the bus, one batch per slice, exactly once (see `segment`). A successor in the same folder moves
what its predecessor had not; `recover` does so for folders nobody uses any more.
Bounds: `segments_max` files of `segment_bytes`; beyond them the newest event is shed, counted in `shed`.
"""

import itertools
import mmap
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from foregate.adapters.embedded.locks import try_hold
from foregate.adapters.embedded.segment import HEADER_BYTES, SpoolFile
from foregate.kernel.ids import new_id
from foregate.kernel.limits import (
    BUS_BATCH_EVENTS_MAX,
    EVENT_BYTES_MAX,
    SPOOL_LEFT_BYTES_MAX,
    SPOOL_SEGMENT_BYTES,
    SPOOL_SEGMENTS_MAX,
)
from foregate.ports.bus import Bus
from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import RequestEvent, encode_event

_ONE_ITEM = 1 << 32
_COMMITTED = 1
_HOLD_WAIT_S = 2.0
_HOLD_TRIES = 100
_STRING_CHARS_MAX = 256  # of each string of an event that is too large: 13 strings of 4-byte characters still fit


def _ignore(_: str) -> None:
    """The reporter when none is given: `shed`, `waiting` and `failure` can still be read."""


class Spool:
    """The spool of one worker in `folder` (made when missing); keeps `foregate.ports.sink.EventSink`.

    `put` belongs to one thread. Raises OSError when another live process holds the folder, the disk is full, or the
    folder holds `left_bytes_max` of predecessors (`recover` empties it once the bus is back).
    `segment_bytes` must hold at least one event of the largest size.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = SPOOL_SEGMENT_BYTES,
        segments_max: int = SPOOL_SEGMENTS_MAX,
        batch_items_max: int = BUS_BATCH_EVENTS_MAX,
        left_bytes_max: int = SPOOL_LEFT_BYTES_MAX,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.shed = 0
        self.failure = ""  # why the last move failed; "" when it did not
        self.damaged = 0  # files of a predecessor that were set aside
        self._folder = folder
        self._segment_bytes = max(segment_bytes, HEADER_BYTES + EVENT_BYTES_MAX)
        self._segments_max = segments_max
        self._batch_items_max = batch_items_max
        self._boot = new_id("w")
        self._numbers = itertools.count(1)
        self._births = itertools.count(1)
        self._lock = _hold(folder)
        self._files: deque[SpoolFile] = deque()  # oldest first; the last one is being written
        self._spare: SpoolFile | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._moving = threading.Lock()
        self._map: mmap.mmap
        self._marks: memoryview[int]
        self._mark = self._at = self._end = 0
        try:
            left, self.damaged = _left_behind(folder)
            self._files.extend(left)
            if sum(len(file.map) for file in left) >= left_bytes_max:
                # A worker that keeps dying while the bus is away must not fill the disk, life by life.
                raise OSError(f"{folder} is full of events that wait for the bus")
            self._write_to(self._new_file())
        except OSError:
            self._release()
            raise

    def put(self, event: RequestEvent) -> bool:
        """True when the event is safe against kill -9; False when it was shed. About 2 µs."""
        payload = encode_event(event)
        at = self._at
        end = at + len(payload)
        if end > self._end or end - at > EVENT_BYTES_MAX:
            return self._put_slowly(event, payload)
        self._map[at:end] = payload
        self._at = end
        self._mark += _ONE_ITEM + end - at
        self._marks[_COMMITTED] = self._mark  # last: only now is the event there
        return True

    def _put_slowly(self, event: RequestEvent, payload: bytes) -> bool:
        """The event is too large, or the file is full."""
        if len(payload) > EVENT_BYTES_MAX:
            return self.put(_cut(event))
        if not self._turn_over():
            self.shed += 1
            return False
        return self.put(event)

    def _turn_over(self) -> bool:
        """Go on in the next file. False at the bound, or when the disk has no room."""
        if len(self._files) >= self._segments_max:
            return False
        spare, self._spare = self._spare, None
        try:
            self._write_to(spare or self._new_file())
        except OSError as error:
            self.failure = str(error)
            return False
        return True

    def _new_file(self) -> SpoolFile:
        return SpoolFile.make(self._folder / f"{self._boot}-{next(self._births)}.new", self._segment_bytes)

    def _write_to(self, file: SpoolFile) -> None:
        # Numbered only now, by the one thread that puts: a producer's sequences on the bus must rise.
        file.adopt(self._folder / f"{self._boot}-{next(self._numbers)}.seg")
        self._files.append(file)
        self._map = file.map
        self._marks = file.marks
        self._mark = self._marks[_COMMITTED]
        self._at = HEADER_BYTES
        self._end = self._segment_bytes

    @property
    def waiting(self) -> int:
        """Events that are safe here but not yet on the bus. Waits for a running `flush`: not for the request path."""
        with self._moving:
            return sum(file.waiting for file in self._files)

    def flush(self, bus: Bus) -> int:
        """Move everything put so far to the bus; returns how many events.

        Raises OSError when the bus takes nothing now: the events stay and the next call sends the same slices.
        """
        moved = 0
        with self._moving:
            for file in list(self._files):
                finished = file is not self._files[-1]  # asked first: a file that is finished now takes no more events
                moved += _move(file, bus, self._partition(bus), self._batch_items_max)
                if finished:
                    self._files.popleft()
                    file.delete()
        return moved

    def _partition(self, bus: Bus) -> int:
        return partition_of(self._folder, bus)

    def start(
        self, open_bus: Callable[[], Bus], *, interval_s: float = 0.2, report: Callable[[str], None] = _ignore
    ) -> None:
        """Start the flusher: a thread with a bus of its own, opened there so that a slow disk delays no request.

        While opening or appending fails it tries again every `interval_s`; `report` gets each new reason once.
        """
        self._thread = threading.Thread(
            target=self._run, args=(open_bus, interval_s, report), name="spool-flusher", daemon=True
        )
        self._thread.start()

    def _run(self, open_bus: Callable[[], Bus], interval_s: float, report: Callable[[str], None]) -> None:
        bus: Bus | None = None
        reported = ""
        stopping = False
        while not stopping:
            stopping = self._stop.wait(interval_s)  # once more after the signal, so that close() leaves nothing behind
            try:
                bus = bus or open_bus()
                self.flush(bus)
                self._prepare_spare()
                self.failure = ""
            except OSError as error:
                self.failure = str(error)
            if self.failure not in ("", reported):
                report(self.failure)
            reported = self.failure
        if bus is not None:
            bus.close()

    def _prepare_spare(self) -> None:
        """Make the next file here, so that `put` need not."""
        if self._spare is None and self._at * 2 > self._end and len(self._files) < self._segments_max:
            self._spare = self._new_file()

    def close(self, timeout_s: float = 5.0) -> None:
        """Flush a last time (when a flusher runs) and let go. What could not be moved stays for the successor."""
        self._stop.set()
        if self._lock < 0:
            return
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return  # it still reads the maps; the process is about to end and the files are whole
        self._release()

    def _release(self) -> None:
        files = [*self._files, *([self._spare] if self._spare else [])]
        for file in files:
            if file.waiting:
                file.close()
            else:
                file.delete()
        self._files.clear()
        self._spare = None
        self._segments_max = self._end = 0  # a put from now on is shed
        os.close(self._lock)
        self._lock = -1


def recover(spool_folder: Path, bus: Bus) -> int:
    """Move what dead workers left in any `w<N>` under `spool_folder`; returns how many events.

    Folders of live workers are passed by. Raises OSError when the bus takes nothing now (call again later).
    """
    moved = 0
    for folder in sorted({path.parent for path in spool_folder.glob("w*/*.seg")}):
        lock = try_hold(folder / "lock")
        if lock is None:
            continue
        try:
            moved += _recover_one(folder, bus)
        finally:
            os.close(lock)
    return moved


def partition_of(folder: Path, bus: Bus) -> int:
    """The partition of a worker's events: its number modulo the bus's partitions."""
    digits = folder.name.removeprefix("w")
    return int(digits) % bus.partitions if digits.isdigit() else 0


def _recover_one(folder: Path, bus: Bus) -> int:
    files, _ = _left_behind(folder)
    moved = 0
    try:
        while files:
            moved += _move(files[0], bus, partition_of(folder, bus), BUS_BATCH_EVENTS_MAX)
            files.pop(0).delete()
    finally:
        for file in files:
            file.close()
    return moved


def _move(file: SpoolFile, bus: Bus, partition: int, items_max: int) -> int:
    """Append all that is committed in `file`. The bus knows a slice it has already by (boot, file and offset)."""
    moved = 0
    while (piece := file.next_slice(items_max)) is not None:
        sequence = file.number << 32 | piece.start
        bus.append(TOPIC_EVENTS, partition, piece.payload, piece.items, producer=file.boot, sequence=sequence)
        file.slice_moved()
        moved += piece.items
    return moved


def _hold(folder: Path) -> int:
    """The folder's lock. Waits a little: `recover` may just be emptying what a dead predecessor left here."""
    for _ in range(_HOLD_TRIES):
        lock = try_hold(folder / "lock")
        if lock is not None:
            return lock
        time.sleep(_HOLD_WAIT_S / _HOLD_TRIES)
    raise OSError(f"{folder} is in use by another gateway worker")


def _left_behind(folder: Path) -> tuple[list[SpoolFile], int]:
    """The files of dead predecessors and how many were damaged (renamed `.damaged`).

    Those of one boot come in the order of their numbers: the bus takes a producer's sequences only rising.
    """
    for unborn in folder.glob("*.new"):
        unborn.unlink()
    files, damaged = [], 0
    for path in sorted(folder.glob("*.seg"), key=_boot_and_number):
        file = SpoolFile.open(path)
        if file is None:
            path.rename(path.with_suffix(".damaged"))
            damaged += 1
        elif file.waiting:
            files.append(file)
        else:
            file.delete()
    return files, damaged


def _boot_and_number(path: Path) -> tuple[str, int]:
    boot, _, number = path.stem.rpartition("-")
    return boot, int(number) if number.isdigit() else 0


def _cut(event: RequestEvent) -> RequestEvent:
    """The same event with every string short enough for the whole to fit."""
    strings = {
        field: value[:_STRING_CHARS_MAX]
        for field in event.__struct_fields__
        if isinstance(value := getattr(event, field), str)
    }
    return msgspec.structs.replace(event, **strings)
