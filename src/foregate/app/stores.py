"""Which stores keep the windows and the single events: those of this machine, or a PostgreSQL that several share.

Every handle is for one process, and may be used by its threads. All of these raise OSError when a store cannot be
opened now.
"""

from typing import Protocol

from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime
from foregate.ports.series import SeriesReader, SeriesWriter


class SeriesStore(SeriesWriter, SeriesReader, Protocol):
    """Both sides of the series port, and their end."""

    def close(self) -> None: ...


def open_series(runtime: Runtime, data: DataDir) -> SeriesStore:
    """The series store."""
    return EmbeddedSeries(data.series)
