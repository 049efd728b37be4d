"""One suite per port, run for every adapter: a new adapter adds itself here and nowhere else."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.ports.archive_world import Archives
from tests.ports.postgres_server import PostgresServer

from foregate.adapters.embedded.archive.reader import EmbeddedArchiveReader
from foregate.adapters.embedded.archive.writer import EmbeddedArchive
from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.courier import Courier
from foregate.adapters.embedded.findings import EmbeddedFindings
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.adapters.embedded.spool import Spool
from foregate.adapters.embedded.verdicts import EmbeddedVerdicts
from foregate.app.stores import SeriesStore
from foregate.kernel.clock import ManualClock, SystemClock
from foregate.ports.bus import Bus

MakeArchives = Callable[[], Archives]


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
class BusAdapter:
    """As `Adapter`, of the bus alone. `keeps_repeats`: what another handle sent again is stored, and read as empty."""

    clock: ManualClock
    open_bus: Callable[[], Bus]
    keeps_repeats: bool


@pytest.fixture(params=["embedded", "kafka"])
def bus_adapter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BusAdapter]:
    """An empty bus per test, of the adapter whose turn it is."""
    clock = ManualClock()
    with ExitStack() as opened:
        if request.param == "embedded":
            path = tmp_path / "bus.sqlite"
            yield BusAdapter(clock, lambda: opened.enter_context(closing(EmbeddedBus(path, clock))), False)
            return
        from foregate.adapters.distributed.kafka import KafkaBus

        kafka = request.getfixturevalue("kafka").fresh()
        clock.jump_to(float(int(time.time())))  # what is of long ago a broker deletes
        ticking = TickingClock(clock)
        yield BusAdapter(clock, lambda: opened.enter_context(closing(KafkaBus(kafka, ticking))), True)


class TickingClock:
    """The test's time of day, with a real stopwatch: who waits for a server must come to an end."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._stopwatch = SystemClock()

    def now(self) -> float:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._stopwatch.monotonic()


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


@contextmanager
def postgres_series(server: PostgresServer) -> Iterator[SeriesAdapter]:
    from foregate.adapters.distributed.postgres.series import PostgresSeries

    with server.schema() as url, ExitStack() as opened:
        yield SeriesAdapter(lambda: opened.enter_context(closing(PostgresSeries(url))))


@pytest.fixture(params=["embedded", "postgres"])
def series_adapter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SeriesAdapter]:
    """An empty store per test, of the adapter whose turn it is."""
    embedded = request.param == "embedded"
    with embedded_series(tmp_path) if embedded else postgres_series(request.getfixturevalue("postgres")) as opened:
        yield opened


@contextmanager
def postgres_archives(server: PostgresServer) -> Iterator[MakeArchives]:
    from foregate.adapters.distributed.postgres.archive import PostgresArchive
    from foregate.adapters.distributed.postgres.archive_reader import PostgresArchiveReader

    with ExitStack() as opened:

        def made() -> Archives:
            url = opened.enter_context(server.schema())
            return Archives(
                ManualClock(),
                lambda: opened.enter_context(closing(PostgresArchive(url))),
                lambda: opened.enter_context(closing(PostgresArchiveReader(url))),
            )

        yield made


@pytest.fixture(scope="module", params=["embedded", "postgres"])
def make_archives(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeArchives]:
    """Makes an empty archive, of the adapter whose turn it is."""
    if request.param == "postgres":
        with postgres_archives(request.getfixturevalue("postgres")) as made_there:
            yield made_there
        return
    opened: list[EmbeddedArchive | EmbeddedArchiveReader] = []

    def made() -> Archives:
        folder, clock = tmp_path_factory.mktemp("archive"), ManualClock()
        opened.extend((EmbeddedArchive(folder, clock), EmbeddedArchiveReader(folder)))
        writer = opened[-2]
        assert isinstance(writer, EmbeddedArchive)

        def reader() -> EmbeddedArchiveReader:
            opened.append(EmbeddedArchiveReader(folder))
            return opened[-1]

        return Archives(clock, lambda: writer, reader)

    yield made
    for handle in opened:
        handle.close()


@pytest.fixture
def archives(make_archives: MakeArchives) -> Archives:
    return make_archives()
