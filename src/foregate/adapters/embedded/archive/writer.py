"""The archive's one writer: appends, and what is done to keep it tidy."""

import errno
import os
import shutil
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from foregate.adapters.embedded.archive.checking import damage_of_segment
from foregate.adapters.embedded.archive.expiry import expire, trim
from foregate.adapters.embedded.archive.manifest import BACKUP_LOCK, STAGING, Manifest, Segment
from foregate.adapters.embedded.archive.merging import choose, merge
from foregate.adapters.embedded.archive.segments import delete, files_under, write_segments
from foregate.adapters.embedded.archive.tables import table_of
from foregate.adapters.embedded.locks import try_hold
from foregate.kernel.clock import Clock
from foregate.wire.accounts import Kind

GRACE_S = 300.0  # a replaced file stays so long: longer than a question may take that began before
_LOCK = "writer.lock"


class EmbeddedArchive:
    """Keeps `foregate.ports.archive.ArchiveWriter` in `folder`. Threads may share it: `append` waits for no tidying."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """Deletes what a killed predecessor has left half-done. Raises OSError, also where another one writes."""
        self._folder = folder
        self._clock = clock
        self._tidying = threading.Lock()
        self._damaged: set[str] = set()  # files found to be so, as many as there are: they are left as they are
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = try_hold(folder / _LOCK)
        if held is None:
            raise OSError(f"{folder} is being written by another process")
        self._held = held
        try:
            self._manifest = Manifest(folder)
            self._delete_orphans()
        except OSError:
            os.close(held)
            raise

    def _delete_orphans(self) -> None:
        known = {segment.file for segment in self._manifest.segments()} | set(self._manifest.replaced())
        found = (str(path.relative_to(self._folder)) for path in files_under(self._folder))
        delete(self._folder, [file for file in found if file not in known])

    def append(
        self, kind: Kind, items: Sequence[Any], topic: str, offsets: Mapping[int, int], counts: Mapping[str, int]
    ) -> None:
        """Store the items and the offsets they cover, durably, all or nothing. Raises OSError."""
        by_org: dict[str, list[Any]] = defaultdict(list)
        for item in items:
            by_org[item.org].append(item)
        written: list[Segment] = []
        try:
            for org, mine in by_org.items():
                written.extend(write_segments(self._folder, kind, org, table_of(kind, mine)))
            self._manifest.add(written, topic, offsets, kind, {**counts, "accepted": len(items)})
        except BaseException:
            delete(self._folder, [segment.file for segment in written])
            raise
        finally:
            pa.default_memory_pool().release_unused()

    def offsets(self, topic: str) -> dict[int, int]:
        """Partition → last offset whose items are stored."""
        return self._manifest.offsets(topic)

    def orgs(self) -> Sequence[str]:
        """Whose items there are."""
        return self._manifest.orgs()

    def compact(self) -> int:
        """Make one of several small segments, and delete what was replaced. Returns how many were made one."""
        with self._tidying:
            self._sweep()
            whole = [each for each in self._manifest.segments() if each.file not in self._damaged]
            chosen = choose(whole, self._clock.now())
            if chosen:
                with self._noting_damage(chosen):
                    made = merge(self._folder, chosen)
                self._replace(chosen, [made])
                pa.default_memory_pool().release_unused()
            return len(chosen)

    def expire(self, kind: Kind, org: str, older_than_s: float) -> int:
        """Delete what is older. A segment that holds younger items as well is written anew without the older ones; one
        that is damaged goes as a whole, when all of it is older."""
        with self._tidying:
            self._sweep()
            gone = 0
            for segment in reversed(self._manifest.segments(kind, org)):
                damaged = segment.file in self._damaged and segment.last_s >= older_than_s
                if segment.first_s < older_than_s and not damaged:
                    with self._noting_damage([segment]):
                        left = expire(self._folder, segment, older_than_s)
                    self._replace([segment], left)
                    gone += segment.items - sum(each.items for each in left)
            return gone

    def trim(self, bytes_max: int) -> int:
        """When the segments are larger together, delete the oldest until they are 5 % less; they count as trimmed."""
        with self._tidying:
            self._sweep()
            self._delete_staging()
            chosen = trim(self._manifest.segments(), bytes_max)
            for segment in chosen:
                self._replace([segment], [], {"trimmed": segment.items})
            return sum(segment.items for segment in chosen)

    def _replace(self, old: Sequence[Segment], new: Sequence[Segment], counts: Mapping[str, int] | None = None) -> None:
        try:
            self._manifest.replace(old, new, self._clock.now(), old[0].kind, counts or {})
        except BaseException:
            delete(self._folder, [segment.file for segment in new])
            raise

    @contextmanager
    def _noting_damage(self, segments: Sequence[Segment]) -> Iterator[None]:
        """Where reading them fails, find which of them is damaged: it must not keep the others from being tidied.

        Raises OSError, which names it.
        """
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            damage = [
                (each.file, problem)
                for each in segments
                for problem in damage_of_segment(self._folder, each, quick=False)
            ]
            self._damaged.update(file for file, _ in damage)
            said = "; ".join(f"{file} {problem}" for file, problem in damage) or str(error)
            raise OSError(f"{self._folder}: {said}") from error

    def _sweep(self) -> None:
        """Delete the files that were replaced long enough ago."""
        if files := self._manifest.replaced(self._clock.now() - GRACE_S):
            delete(self._folder, files)
            self._manifest.forget(files)

    def _delete_staging(self) -> None:
        """Of a backup that was killed: its second names would keep the disk of files that have been deleted."""
        staging = self._folder / STAGING
        if staging.exists() and (held := try_hold(self._folder / BACKUP_LOCK)) is not None:
            try:
                shutil.rmtree(staging, ignore_errors=True)
            finally:
                os.close(held)

    def close(self) -> None:
        """Let another one write."""
        self._manifest.close()
        os.close(self._held)
