"""Alerts: when a risk becomes an alarm for people, and whether the alarm was right."""

from foregate.predict.alerts.book import AlertBook, Candidate, alert_id

__all__ = ["AlertBook", "Candidate", "alert_id"]
