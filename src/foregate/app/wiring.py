"""Where planes that never import one another are joined."""

import time
from collections.abc import Callable
from pathlib import Path

import structlog

from foregate import __version__
from foregate.adapters.embedded.blocks import open_blocks
from foregate.adapters.embedded.changes import EmbeddedChanges
from foregate.adapters.embedded.findings import EmbeddedFindings
from foregate.adapters.embedded.logs import EmbeddedLogs
from foregate.adapters.embedded.models import EmbeddedModels
from foregate.adapters.embedded.verdicts import EmbeddedVerdicts
from foregate.app.asking import SupervisorConfig
from foregate.app.block_desk import BlockDesk
from foregate.app.bus import open_bus
from foregate.app.cache_desk import CacheDesk
from foregate.app.canary_desk import CanaryDesk
from foregate.app.deployment_desk import DeploymentDesk
from foregate.app.disk import Disk
from foregate.app.journeys import journey_answers
from foregate.app.models.card import card_beside, threshold_of
from foregate.app.models.desk import ModelDesk
from foregate.app.observe.observer import accounts, families
from foregate.app.observe.open import open_observed
from foregate.app.observe.page import render
from foregate.app.paths import DataDir
from foregate.app.process_status import read_processes
from foregate.app.questions import open_questions, parquet_rows
from foregate.app.runtime import Runtime
from foregate.app.stores import open_series
from foregate.app.watch import Stamp, stamp
from foregate.control import ControlDeps
from foregate.control.deps import BreakerState
from foregate.control.lab_client import HttpLabClient
from foregate.gateway.layout import CIRCUIT_OPEN, target_block
from foregate.kernel.clock import SystemClock
from foregate.telemetry.query import Query
from foregate.wire.health import DiskHealth
from foregate.wire.snapshot import Snapshot, decode_snapshot


def control_deps(data: DataDir, runtime: Runtime, log: structlog.typing.FilteringBoundLogger) -> ControlDeps:
    """What the console needs, on the embedded stores. Raises OSError when a store cannot be opened."""
    clock = SystemClock()
    series = open_series(runtime, data)
    snapshot = _snapshot(data.snapshot)
    verdicts = EmbeddedVerdicts(data.abuse)
    observed = open_observed(data, runtime, clock)
    disk = Disk(data.root, clock)
    asks, items = open_questions(data, runtime, series, clock)
    card = card_beside(runtime.model_path)
    return ControlDeps(
        telemetry=Query(series, open_bus(data, runtime.bus, clock), series.offsets),
        findings=EmbeddedFindings(data.findings),
        clock=clock,
        snapshot=snapshot,
        console_token=data.console_token(),
        threshold=threshold_of(runtime.alert_threshold, runtime.false_alarms_per_day, card),
        log=log,
        version=__version__,
        lab=HttpLabClient(runtime.lab_control_url) if runtime.lab_control_url else None,
        model_card=card,
        accounts=lambda: accounts(observed),
        own_metrics=lambda: render(families(observed)),
        processes=lambda: read_processes(data.processes),
        breakers=lambda: _breakers(data, runtime, snapshot()),
        blocks=BlockDesk(data, verdicts, clock, lambda: snapshot().abuse),
        canaries=CanaryDesk(data, verdicts, clock),
        deployments=DeploymentDesk(EmbeddedChanges(data.changes), clock, snapshot),
        models=ModelDesk(EmbeddedModels(data.models), clock, runtime.model_path),
        cache=CacheDesk(data),
        asks=asks,
        items=items,
        parquet=parquet_rows,
        journeys=journey_answers(data),
        logs=EmbeddedLogs(data.logs, clock),
        config=SupervisorConfig(data, runtime, snapshot, clock, time.sleep),
        disk=lambda: DiskHealth(*disk.state()),
    )


def _breakers(data: DataDir, runtime: Runtime, snapshot: Snapshot) -> dict[str, BreakerState]:
    """Target URL → its circuit, open when any worker has opened it; nothing before the first worker has started."""
    pairs = [(service.name, target.url) for service in snapshot.services for target in service.targets]
    try:
        blocks = open_blocks(data.counters, runtime.workers, None)
    except OSError:
        return {}
    circuits = blocks.claim([target_block(*pair) for pair in pairs])
    states: dict[str, BreakerState] = {}
    for (_, url), circuit in zip(pairs, circuits, strict=True):
        if states.get(url) != "open":
            states[url] = "open" if circuit.total(CIRCUIT_OPEN) > 0 else "closed"
    blocks.close()
    return states


def _snapshot(file: Path) -> Callable[[], Snapshot]:
    """The snapshot in force; read again only when the file has changed."""
    known: tuple[Stamp | None, Snapshot] | None = None

    def current() -> Snapshot:
        nonlocal known
        now = stamp(file)
        if known is None or known[0] != now:
            known = (now, decode_snapshot(file.read_bytes()))
        return known[1]

    return current
