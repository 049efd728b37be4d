"""One suite per port, run for every adapter: a new adapter adds itself here and nowhere else."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.courier import Courier
from foregate.adapters.embedded.findings import EmbeddedFindings
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.adapters.embedded.spool import Spool
from foregate.adapters.embedded.verdicts import EmbeddedVerdicts
from foregate.kernel.clock import ManualClock


@dataclass
class Adapter:
    """How to open each port; opening twice gives two handles on the same store, as two processes would have."""

    clock: ManualClock
    open_bus: Callable[[], EmbeddedBus]
    open_series: Callable[[], EmbeddedSeries]
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
        lambda: remembered(EmbeddedSeries(tmp_path / "series.sqlite")),
        lambda: remembered(EmbeddedFindings(tmp_path / "findings.sqlite")),
        lambda: remembered(Spool(tmp_path / "spool" / "w1")),
        lambda: remembered(Courier(tmp_path / "spool")),
        lambda: remembered(EmbeddedVerdicts(tmp_path / "abuse.sqlite")),
        tmp_path / "bus.sqlite",
    )
    for handle in opened:
        handle.close()
