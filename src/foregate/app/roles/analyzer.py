"""The analyzer process: windows, judgement, alerts. The only one that imports numpy and xgboost."""

import asyncio
from pathlib import Path

import structlog

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.findings import EmbeddedFindings
from foregate.adapters.embedded.notifier import Webhook
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.adapters.embedded.verdicts import EmbeddedVerdicts
from foregate.app.abuse import AbuseWatch
from foregate.app.analysis import Analysis
from foregate.app.logs import configure_logs
from foregate.app.notify import Notifications
from foregate.app.paths import DataDir
from foregate.app.roles.lifetime import stop_event
from foregate.app.roles.options import RoleOptions
from foregate.app.runtime import Runtime, read_runtime
from foregate.kernel.clock import Clock, SystemClock
from foregate.kernel.tasks import spawn
from foregate.predict import Analyst, Model, ModelError, bundled_model, load_model
from foregate.telemetry.consumer import Consumer
from foregate.telemetry.windows import Windower

STEP_S = 0.5
ABUSE_STEP_S = 0.25
RETRY_S = 2.0
EXIT_RUNTIME = 3


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
    bus, series, findings = EmbeddedBus(data.bus, clock), EmbeddedSeries(data.series), EmbeddedFindings(data.findings)
    notifications = Notifications(Webhook(runtime.webhook) if runtime.webhook else None, log)
    analysis = Analysis(
        bus=bus,
        series=series,
        findings=findings,
        consumer=Consumer(bus, series, series, Windower(), clock),
        analyst=Analyst(_model(runtime, log), threshold=runtime.alert_threshold),
        notifications=notifications,
        clock=clock,
        log=log,
    )
    await asyncio.to_thread(analysis.restore)
    log.info("analyzing", threshold=runtime.alert_threshold)
    watching = spawn(_watch_abuse(data, clock, stop, log), name="watch for abuse")
    while not stop.is_set():
        wait_s = STEP_S
        try:
            await asyncio.to_thread(analysis.step)
        except OSError as error:  # a full disk, a locked file: what was read is owed, and paid when it works again
            log.error("step_failed", error=str(error), again_in_s=RETRY_S)
            wait_s = RETRY_S
        try:
            await asyncio.wait_for(stop.wait(), wait_s)
        except TimeoutError:
            continue
    await watching
    await asyncio.to_thread(notifications.close)
    for store in (bus, series, findings):
        store.close()
    return 0


async def _watch_abuse(
    data: DataDir, clock: Clock, stop: asyncio.Event, log: structlog.typing.FilteringBoundLogger
) -> None:
    """Beside the windows, with handles of its own: neither waits for the other, and neither ends the other."""
    watch: AbuseWatch | None = None
    bus: EmbeddedBus | None = None
    store: EmbeddedVerdicts | None = None
    while not stop.is_set():
        wait_s = ABUSE_STEP_S
        try:
            bus = bus or EmbeddedBus(data.bus, clock)
            store = store or EmbeddedVerdicts(data.abuse)
            watch = watch or await asyncio.to_thread(AbuseWatch, bus, store, data, clock, log)
            await asyncio.to_thread(watch.step)
        except OSError as error:
            log.error("abuse_step_failed", error=str(error), again_in_s=RETRY_S)
            wait_s = RETRY_S
        except Exception:  # noqa: BLE001 - a mistake here must not end the windows and the alerts
            log.exception("abuse_step_failed", again_in_s=RETRY_S)
            wait_s = RETRY_S
        try:
            await asyncio.wait_for(stop.wait(), wait_s)
        except TimeoutError:
            continue
    for handle in (bus, store):
        if handle is not None:
            handle.close()


def _model(runtime: Runtime, log: structlog.typing.FilteringBoundLogger) -> Model | None:
    """The model to judge with. One that cannot be used switches predictions off, visibly; it is never replaced by
    another in silence."""
    try:
        model = load_model(Path(runtime.model_path)) if runtime.model_path else bundled_model()
    except (ModelError, OSError) as error:
        log.error("model_unusable", model=runtime.model_path or "bundled", error=str(error))
        return None
    log.info("model_loaded", version=model.version)
    return model
