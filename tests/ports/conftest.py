"""One suite per port, run for every adapter: a new adapter adds itself here and nowhere else."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.courier import Courier
from foregate.adapters.embedded.findings import EmbeddedFindings
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.adapters.embedded.spool import Spool
from foregate.adapters.embedded.verdicts import EmbeddedVerdicts
from foregate.app.stores import SeriesStore
from foregate.kernel.clock import ManualClock


@dataclass
class Adapter:
    """How to open each port; opening twice gives two handles on the same store, as two processes would have."""

    clock: ManualClock
    open_bus: Callable[[], EmbeddedBus]
    open_findings: Callable[[], EmbeddedFindings]
    open_sink: Callable[[], Spool]
    open_courier: Callable[[], Courier]
    open_verdicts: Callable[[], EmbeddedVerdicts]
    bus_file: Path


@pytest.fixture(params=["embedded"])
def adapter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Adapter]:
    assert request.param == "embedded"
    clock, opened = ManualClock(), []

    def remembered(handle):  # type: ignore[no-untyped-def]
        opened.append(handle)
        return handle

    yield Adapter(
        clock,
        lambda: remembered(EmbeddedBus(tmp_path / "bus.sqlite", clock)),
        lambda: remembered(EmbeddedFindings(tmp_path / "findings.sqlite")),
        lambda: remembered(Spool(tmp_path / "spool" / "w1")),
        lambda: remembered(Courier(tmp_path / "spool")),
        lambda: remembered(EmbeddedVerdicts(tmp_path / "abuse.sqlite")),
        tmp_path / "bus.sqlite",
    )
    for handle in opened:
        handle.close()


@dataclass
class SeriesAdapter:
    """Opening twice gives two handles on the same store, as two processes would have."""

    open_series: Callable[[], SeriesStore]


@contextmanager
def embedded_series(folder: Path) -> Iterator[SeriesAdapter]:
    opened = []

    def open_series() -> SeriesStore:
        opened.append(EmbeddedSeries(folder / "series.sqlite"))
        return opened[-1]

    yield SeriesAdapter(open_series)
    for handle in opened:
        handle.close()


# An empty store per test, in a folder of its own.
SERIES: dict[str, Callable[[Path], AbstractContextManager[SeriesAdapter]]] = {"embedded": embedded_series}


@pytest.fixture(params=sorted(SERIES))
def series_adapter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SeriesAdapter]:
    with SERIES[request.param](tmp_path) as opened:
        yield opened
