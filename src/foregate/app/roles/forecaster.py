"""The forecaster process: one run over the stored windows, then it ends. The keeper starts it now and then."""

import os
import threading
from collections.abc import Sequence
from functools import cache, partial

from foregate.adapters.embedded.findings import EmbeddedFindings
from foregate.adapters.embedded.limits.reader import LimitsReader
from foregate.app.forecast_quotas import quotas_now
from foregate.app.forecasting import Forecasting
from foregate.app.logs import configure_logs
from foregate.app.roles.options import RoleOptions
from foregate.app.runtime import read_runtime
from foregate.app.stores import open_series
from foregate.kernel.clock import SystemClock
from foregate.predict.forecast import Plan
from foregate.predict.forecast.models import Model
from foregate.wire.snapshot import decode_snapshot

EXIT_RUNTIME = 3
LOWEST_PRIORITY = 19
STDIN = 0


def run(options: RoleOptions) -> int:
    """Forecast once. It leaves at once, whatever it is at, when its standard input closes."""
    log = configure_logs(options.logs, "forecaster")
    os.nice(LOWEST_PRIORITY)
    if options.supervised:
        threading.Thread(target=_leave_with_keeper, name="keeper's pipe", daemon=True).start()
    try:
        runtime = read_runtime(options.data)
        series, findings = open_series(runtime, options.data), EmbeddedFindings(options.data.findings)
        try:
            clock, limits = SystemClock(), LimitsReader(options.data.limits)
            quotas = partial(quotas_now, lambda: decode_snapshot(options.data.snapshot.read_bytes()), limits, clock)
            Forecasting(series, findings, clock, log, installed_models, quotas=quotas).run()
        finally:
            series.close()
            findings.close()
    except OSError as error:
        log.error("stopped_by_error", error=str(error))
        return EXIT_RUNTIME
    return 0


@cache
def installed_models(plan: Plan) -> Sequence[Model]:
    """Those of statsforecast. Raises ImportError where it is not installed."""
    from foregate.predict.forecast.adaptive import adaptive_models

    return adaptive_models(plan.season, plan.seasons)


def _leave_with_keeper() -> None:
    """Nothing is lost: each forecast is one transaction, and the next run makes what is missing."""
    while os.read(STDIN, 1):  # not by `sys.stdin`, whose lock this thread would hold when the process ends
        continue
    os._exit(EXIT_RUNTIME)
