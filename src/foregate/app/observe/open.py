"""Opening what the observer looks at."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from foregate.adapters.embedded.archive.manifest import Manifest
from foregate.adapters.embedded.logs import EmbeddedLogs
from foregate.app.bus import open_bus
from foregate.app.bus_readers import bus_readers
from foregate.app.observe.observer import Observed
from foregate.app.paths import DataDir
from foregate.app.process_status import read_processes
from foregate.app.runtime import Runtime
from foregate.app.stores import open_archive_reader, open_series
from foregate.kernel.clock import Clock
from foregate.wire.accounts import Kind


def open_observed(data: DataDir, runtime: Runtime, clock: Clock) -> Observed:
    """Raises OSError when the bus cannot be opened; the stores are opened when they are asked."""
    return Observed(
        data=data,
        bus=open_bus(data, runtime.bus, clock),
        readers=bus_readers(data, runtime),
        stored=lambda kind: _stored(kind, data, runtime, clock),
        sizes=lambda: _sizes(data),
        processes=lambda: read_processes(data.processes),
        workers=runtime.workers,
        clock=clock,
    )


def _stored(kind: Kind, data: DataDir, runtime: Runtime, clock: Clock) -> Mapping[str, int]:
    """What the store that accounts for a kind has counted; nothing while it is not there."""
    if kind == "events":
        with closing(open_series(runtime, data)) as series:
            return series.counts()
    if kind == "logs":
        if not data.logs.exists():
            return {}
        with closing(EmbeddedLogs(data.logs, clock)) as logs:
            return logs.counts()
    if runtime.store:
        with closing(open_archive_reader(runtime, data)) as shared:
            return shared.counts(kind)
    if not data.archive.exists():
        return {}
    with closing(Manifest(data.archive)) as archive:
        return archive.counts(kind)


def _sizes(data: DataDir) -> dict[str, int]:
    """Bytes on this disk by store, its write-ahead log included."""
    stores = {"bus": data.bus, "windows": data.series, "journeys": data.journeys, "logs": data.logs}
    sizes = {name: _size([path, Path(f"{path}-wal")]) for name, path in stores.items()}
    return sizes | {"archive": _size(data.archive.rglob("*"))}


def _size(paths: Iterable[Path]) -> int:
    size = 0
    for path in paths:
        try:
            size += path.stat().st_size
        except FileNotFoundError:
            continue
    return size
