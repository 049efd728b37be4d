"""The analyzer process: windows, judgement, alerts. The only one that imports numpy and xgboost."""

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path

import structlog

from foregate.adapters.embedded.changes import EmbeddedChanges
from foregate.adapters.embedded.findings import EmbeddedFindings
from foregate.adapters.embedded.models import EmbeddedModels
from foregate.adapters.embedded.notifier import Webhook
from foregate.adapters.embedded.verdicts import EmbeddedVerdicts
from foregate.app.abuse import AbuseWatch
from foregate.app.analysis import Analysis
from foregate.app.beside import Watch, keep_watching
from foregate.app.bus import open_bus
from foregate.app.canaries import Canaries
from foregate.app.false_alarms import FalseAlarmFile
from foregate.app.logs import configure_logs
from foregate.app.models.bundled import bundled_reference
from foregate.app.models.choice import Loading, ModelChoice
from foregate.app.models.shifts import Shifts, reference_in
from foregate.app.notify import Notifications
from foregate.app.objectives import ObjectiveWatch
from foregate.app.paths import DataDir
from foregate.app.roles.lifetime import stop_event
from foregate.app.roles.options import RoleOptions
from foregate.app.runtime import Runtime, read_runtime
from foregate.app.signals import ChangeWatch, Resources, ResourceWatch, open_signals
from foregate.app.stores import open_series
from foregate.kernel.clock import Clock, SystemClock
from foregate.kernel.limits import OPEN_ALERTS_MAX
from foregate.kernel.tasks import spawn
from foregate.ports.bus import Bus
from foregate.predict import Analyst, Model, ModelError, Thresholds, bundled_path, load_model
from foregate.predict.models.model import decode_model
from foregate.telemetry.consumer import Consumer
from foregate.telemetry.retention import Retention
from foregate.telemetry.windows import Windower

STEP_S = 0.5
ABUSE_STEP_S = 0.25
CANARY_STEP_S = 1.0
CHANGES_STEP_S = 1.0
RESOURCES_STEP_S = 1.0
RETRY_S = 2.0
EXIT_RUNTIME = 3
GC_THRESHOLDS = 100_000, 20, 50  # windows are many objects and no cycles: looking for these took more than half
Make = Callable[[Bus, EmbeddedVerdicts], Watch]


def run(options: RoleOptions) -> int:
    """Analyze until told to stop."""
    log = configure_logs(options.logs, "analyzer")
    try:
        return asyncio.run(_main(options, read_runtime(options.data), log))
    except OSError as error:
        log.error("stopped_by_error", error=str(error))
        return EXIT_RUNTIME


async def _main(options: RoleOptions, runtime: Runtime, log: structlog.typing.FilteringBoundLogger) -> int:
    stop = await stop_event(options.supervised)
    clock, data = SystemClock(), options.data
    bus, series = open_bus(data, runtime.bus, clock, reader="windows"), open_series(runtime, data)
    findings = EmbeddedFindings(data.findings)
    notifications = Notifications(Webhook(runtime.webhook) if runtime.webhook else None, log)
    registry = EmbeddedModels(data.models)
    models = ModelChoice(registry, _loading(runtime), clock, log)
    thresholds = Thresholds(runtime.alert_threshold, runtime.false_alarms_per_day, runtime.false_alarms)
    shifts = Shifts(
        registry,
        reference_in(registry, bundled_reference),
        lambda: findings.alerts(state=None, limit=OPEN_ALERTS_MAX, before=None),
        clock,
        log,
        budget=thresholds.budget,
    )
    resources = Resources()
    signals = open_signals(data, clock, findings.objectives, resources, log)
    analysis = Analysis(
        bus=bus,
        series=series,
        findings=findings,
        consumer=Consumer(bus, series, series, Windower(), clock, Retention(runtime.retention_days, runtime.retention)),
        analyst=Analyst(models, thresholds, observer=shifts.observe, explain=runtime.explain),
        notifications=notifications,
        clock=clock,
        log=log,
        objectives=ObjectiveWatch(runtime.objectives, series, findings, log),
        models=models,
        shifts=shifts,
        signals=signals,
        false_alarms=FalseAlarmFile(data.false_alarms, log),
    )
    gc.set_threshold(*GC_THRESHOLDS)
    await asyncio.to_thread(analysis.restore)
    gc.freeze()
    log.info("analyzing", threshold=runtime.alert_threshold, false_alarms_per_day=runtime.false_alarms_per_day)
    watching = [
        spawn(keep_watching(make, step_s, data, runtime.bus, clock, stop, log.bind(watch=name)), name=f"watch {name}")
        for name, (make, step_s) in _watches(data, clock, analysis, resources, log).items()
    ]
    while not stop.is_set():
        try:
            await asyncio.to_thread(analysis.step)
            wait_s = STEP_S if analysis.caught_up else 0.0
        except OSError as error:  # a full disk, a locked file: what was read is owed, and paid when it works again
            log.error("step_failed", error=str(error), again_in_s=RETRY_S)
            wait_s = RETRY_S
        try:
            await asyncio.wait_for(stop.wait(), wait_s)
        except TimeoutError:
            continue
    await asyncio.gather(*watching)
    await asyncio.to_thread(_close, analysis, log)
    await asyncio.to_thread(notifications.close)
    for store in (bus, series, findings, signals):
        store.close()
    return 0


def _close(analysis: Analysis, log: structlog.typing.FilteringBoundLogger) -> None:
    try:
        analysis.close()
    except OSError as error:
        log.error("false_alarms_not_kept", error=str(error), effect="those of the last minutes are not counted")


def _watches(
    data: DataDir, clock: Clock, analysis: Analysis, resources: Resources, log: structlog.typing.FilteringBoundLogger
) -> dict[str, tuple[Make, float]]:
    """What looks beside the windows, by name, and every how many seconds."""
    return {
        "abuse": (lambda bus, store: AbuseWatch(bus, store, data, clock, log), ABUSE_STEP_S),
        "canaries": (lambda bus, store: Canaries(bus, store, data, clock, log, lambda: analysis.risks), CANARY_STEP_S),
        "resources": (lambda bus, _store: ResourceWatch(bus, resources, clock), RESOURCES_STEP_S),
        "changes": (lambda _bus, _store: ChangeWatch(data, EmbeddedChanges(data.changes), clock), CHANGES_STEP_S),
    }


def _loading(runtime: Runtime) -> Loading[Model]:
    """How models are had. One that cannot be used switches predictions off, visibly."""
    path = runtime.model_path
    return Loading(
        fixed=(lambda: load_model(Path(path))) if path else None,
        bundled=lambda: load_model(bundled_path()),
        decode=decode_model,
        unusable=ModelError,
    )
