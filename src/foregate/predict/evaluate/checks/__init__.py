"""Endpoint check histories, as public status pages keep them: does anything foresee the next outage?

Consumes a CSV of checks (source, endpoint, time, state, status, latency_ms); emits a report and its Markdown. Each
source is judged by what was learned on the others, hour by hour while the endpoint is up. No sklearn, no settings.
"""

from foregate.predict.evaluate.checks.load import ChecksError
from foregate.predict.evaluate.checks.report import ChecksReport, table
from foregate.predict.evaluate.checks.run import evaluate

__all__ = ["ChecksError", "ChecksReport", "evaluate", "table"]
