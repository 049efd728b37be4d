"""A learner on a data directory's stores."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from foregate.adapters.embedded.locks import try_hold
from foregate.adapters.embedded.minutes import EmbeddedMinutes
from foregate.adapters.embedded.models import EmbeddedModels
from foregate.app.logs import LogStyle, configure_logs
from foregate.app.models.bundled import bundled_content
from foregate.app.paths import DataDir
from foregate.app.runtime import read_runtime
from foregate.app.stores import open_series
from foregate.app.training.beside import open_beside
from foregate.app.training.collect import Collector
from foregate.app.training.learner import Learner
from foregate.app.training.tools import ModelTools
from foregate.kernel.clock import SystemClock
from foregate.telemetry.retention import Retention


@contextmanager
def training_alone(data: DataDir) -> Iterator[bool]:
    """Whether nobody else trains here; nobody does while the block lasts. Raises OSError."""
    data.models.mkdir(mode=0o700, parents=True, exist_ok=True)
    held = try_hold(data.models / "training.lock")
    try:
        yield held is not None
    finally:
        if held is not None:
            os.close(held)


@contextmanager
def open_learner(data: DataDir, *, to_file: bool) -> Iterator[Learner]:
    """`to_file`: what it says goes to foregate's own log as well. Raises OSError."""
    runtime, clock = read_runtime(data), SystemClock()
    log = configure_logs(
        LogStyle("json", "info", data.own_log("learner")) if to_file else LogStyle("console"), "learner"
    )
    retention = Retention(runtime.retention_days, runtime.retention)
    with closing(open_series(runtime, data)) as series, open_beside(data) as beside:
        collector = Collector(series, EmbeddedMinutes(data.minutes), retention, beside)
        yield Learner(
            EmbeddedModels(data.models),
            collector,
            ModelTools(),
            bundled_content,
            clock,
            log,
            budget=lambda org: runtime.false_alarms.get(org, runtime.false_alarms_per_day),
        )
