"""What the keeper does for foregate's own sake: its log goes to the log search, its numbers to a collector."""

import socket
from collections.abc import Callable

import structlog

from foregate.app.bus import open_bus
from foregate.app.keeping import Keeping
from foregate.app.observe.alarms import AccountsWatch
from foregate.app.observe.export import FollowingExport, MetricsExport
from foregate.app.observe.observer import accounts, families
from foregate.app.observe.open import open_observed
from foregate.app.observe.own_logs import OwnLogReader
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime
from foregate.kernel.clock import Clock
from foregate.wire.export import Export, Signal
from foregate.wire.snapshot import decode_snapshot


def own_keepings(
    data: DataDir, runtime: Runtime, clock: Clock, log: structlog.typing.FilteringBoundLogger
) -> dict[str, Callable[[], Keeping]]:
    """By name."""
    snapshot = decode_snapshot(data.snapshot.read_bytes())
    origin = (snapshot.org, snapshot.environment, socket.gethostname())
    found: dict[str, Callable[[], Keeping]] = {
        "own logs": lambda: OwnLogReader(data.own_logs, open_bus(data, runtime.bus, clock), *origin, clock),
    }
    found["accounts"] = lambda: _watching(data, runtime, clock, log)
    export = runtime.export
    if export is not None:
        found |= {
            f"export of {signal}": _exporting(export, signal, data, runtime, origin, clock, log)
            for signal in export.signals
        }
    return found


def _watching(data: DataDir, runtime: Runtime, clock: Clock, log: structlog.typing.FilteringBoundLogger) -> Keeping:
    observed = open_observed(data, runtime, clock)
    return AccountsWatch(lambda: accounts(observed), clock, log)


def _exporting(
    export: Export,
    signal: Signal,
    data: DataDir,
    runtime: Runtime,
    origin: tuple[str, str, str],
    clock: Clock,
    log: structlog.typing.FilteringBoundLogger,
) -> Callable[[], Keeping]:
    def metrics() -> Keeping:
        observed = open_observed(data, runtime, clock)
        return MetricsExport(export, lambda: families(observed), origin, clock, log)

    def following() -> Keeping:
        return FollowingExport(export, signal, open_bus(data, runtime.bus, clock), data.root, clock, log)

    return metrics if signal == "metrics" else following
