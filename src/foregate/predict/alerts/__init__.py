"""Alerts: one per entity and horizon, closed with hysteresis, and judged by what happened."""

from foregate.predict.alerts.book import AlertBook, Candidate, alert_id
from foregate.predict.alerts.false_alarms import Counts, Kept, OwnRecord, OwnRecords
from foregate.predict.alerts.thresholds import Thresholds

__all__ = ["AlertBook", "Candidate", "Counts", "Kept", "OwnRecord", "OwnRecords", "Thresholds", "alert_id"]
