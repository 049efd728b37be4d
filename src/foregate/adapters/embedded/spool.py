"""Where a gateway worker leaves its events: memory-mapped files that outlive it. The courier moves them to the bus.

`put` copies an encoded event into the page cache and is done: no system call, no lock, no wait, and nobody else in
this process who would want the interpreter meanwhile. The worker writes a file's `committed` mark, the courier its two
others (see `segment`); the courier deletes what it has moved whole.
Bounds: `segments_max` files of `segment_bytes`; beyond them the newest event is shed, counted in `shed`.
"""

import itertools
import mmap
import os
import time
from collections import deque
from pathlib import Path

import msgspec

from foregate.adapters.embedded.locks import try_hold
from foregate.adapters.embedded.segment import HEADER_BYTES, SpoolFile
from foregate.kernel.ids import new_id
from foregate.kernel.limits import EVENT_BYTES_MAX, SPOOL_LEFT_BYTES_MAX, SPOOL_SEGMENT_BYTES, SPOOL_SEGMENTS_MAX
from foregate.wire.event import RequestEvent, encode_event_into

_ONE_ITEM = 1 << 32
_COMMITTED = 1
_HOLD_WAIT_S = 2.0
_HOLD_TRIES = 100
_STRING_CHARS_MAX = 256  # of each string of an event that is too large: 14 strings of 4-byte characters still fit
LOCK = "lock"  # held by the live worker, whose boot stands in it


class Spool:
    """The spool of one worker in `folder` (made when missing); keeps `foregate.ports.sink.EventSink`.

    All of it belongs to one thread. Raises OSError when another live process holds the folder, the disk is full, or the
    folder holds `left_bytes_max` of predecessors (the courier empties it once the bus is back).
    `segment_bytes` must hold at least one event of the largest size.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = SPOOL_SEGMENT_BYTES,
        segments_max: int = SPOOL_SEGMENTS_MAX,
        left_bytes_max: int = SPOOL_LEFT_BYTES_MAX,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.shed = 0
        self.failure = ""  # why there was no next file; "" when there was
        self._folder = folder
        self._segment_bytes = max(segment_bytes, HEADER_BYTES + EVENT_BYTES_MAX)
        self._segments_max = segments_max
        self._boot = new_id("w")
        self._numbers = itertools.count(1)
        self._births = itertools.count(1)
        self._lock = _hold(folder)
        self._files: deque[SpoolFile] = deque()  # oldest first; the last one is being written
        self._spare: SpoolFile | None = None
        self._payload = bytearray()  # of one event, used again for the next
        self._map: mmap.mmap
        self._marks: memoryview[int]
        self._mark = self._at = self._end = 0
        try:
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, self._boot.encode(), 0)  # before the first file: see `courier`
            for unborn in folder.glob("*.new"):
                unborn.unlink()
            if sum(path.stat().st_size for path in folder.glob("*.seg")) >= left_bytes_max:
                # A worker that keeps dying while the bus is away must not fill the disk, life by life.
                raise OSError(f"{folder} is full of events that wait for the bus")
            self._write_to(self._new_file())
        except OSError:
            self._release()
            raise

    def put(self, event: RequestEvent) -> bool:
        """True when the event is safe against kill -9; False when it was shed. About 2 µs."""
        payload = self._payload
        encode_event_into(event, payload)
        at, size = self._at, len(payload)
        end = at + size
        if end > self._end or size > EVENT_BYTES_MAX:
            return self._put_slowly(event, size)
        self._map[at:end] = payload
        self._at = end
        self._mark = mark = self._mark + _ONE_ITEM + size
        self._marks[_COMMITTED] = mark  # last: only now is the event there
        return True

    def _put_slowly(self, event: RequestEvent, size: int) -> bool:
        """The event is too large, or the file is full."""
        if size > EVENT_BYTES_MAX:
            return self.put(_cut(event))
        if not self._turn_over():
            self.shed += 1
            return False
        return self.put(event)

    def _turn_over(self) -> bool:
        """Go on in the next file. False at the bound, or when the disk has no room."""
        self._forget_moved()
        if len(self._files) >= self._segments_max:
            return False
        spare, self._spare = self._spare, None
        try:
            self._write_to(spare or self._new_file())
        except OSError as error:
            self.failure = str(error)
            return False
        self.failure = ""
        return True

    def _forget_moved(self) -> None:
        """Let go of the files that the courier has moved and deleted."""
        while len(self._files) > 1 and not self._files[0].path.exists():
            self._files.popleft().close()

    def _new_file(self) -> SpoolFile:
        return SpoolFile.make(self._folder / f"{self._boot}-{next(self._births)}.new", self._segment_bytes)

    def _write_to(self, file: SpoolFile) -> None:
        # Numbered only now, so that a producer's sequences on the bus rise.
        file.adopt(self._folder / f"{self._boot}-{next(self._numbers)}.seg")
        self._files.append(file)
        self._map = file.map
        self._marks = file.marks
        self._mark = self._marks[_COMMITTED]
        self._at = HEADER_BYTES
        self._end = self._segment_bytes

    def prepare(self) -> None:
        """Make the next file while there is time, so that `put` need not: to be called now and then. Raises OSError."""
        self._forget_moved()
        if self._spare is None and self._at * 2 > self._end and len(self._files) < self._segments_max:
            self._spare = self._new_file()

    def close(self) -> None:
        """Let go. What is not moved yet stays for the courier; a put from now on is shed."""
        if self._lock >= 0:
            self._release()

    def _release(self) -> None:
        for file in self._files:
            file.close()
        if self._spare is not None:
            self._spare.delete()
        self._files.clear()
        self._spare = None
        self._segments_max = self._end = 0
        os.close(self._lock)
        self._lock = -1


def _hold(folder: Path) -> int:
    """The folder's lock. Waits a little: the courier may just be looking whether a predecessor still lives."""
    for _ in range(_HOLD_TRIES):
        lock = try_hold(folder / LOCK)
        if lock is not None:
            return lock
        time.sleep(_HOLD_WAIT_S / _HOLD_TRIES)
    raise OSError(f"{folder} is in use by another gateway worker")


def _cut(event: RequestEvent) -> RequestEvent:
    """The same event with every string short enough for the whole to fit."""
    strings = {
        field: value[:_STRING_CHARS_MAX]
        for field in event.__struct_fields__
        if isinstance(value := getattr(event, field), str)
    }
    return msgspec.structs.replace(event, **strings)
