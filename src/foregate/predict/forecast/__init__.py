"""Forecasts: what traffic, latency, error budget and cost will be in a day and in a week, and how sure that is.

Consumes regular series of stored windows; emits `wire.forecast.Forecast`. Promises that whichever model did best on the
series' own past is the one that is used, that seasonal naive and naive always stand beside it, and that an interval's
real coverage is said. Heavy models (`adaptive`) are imported only by whoever asks for them.
"""

from foregate.predict.forecast.broken import BudgetNow
from foregate.predict.forecast.make import DAY, WEEK, Plan, Subject, forecast, standing
from foregate.predict.forecast.series import regular

__all__ = ["DAY", "WEEK", "BudgetNow", "Plan", "Subject", "forecast", "regular", "standing"]
