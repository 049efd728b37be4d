"""The predict plane: anomalies, the risk of a failure within the horizon with its exact reasons, and alerts.

Consumes closed 1-minute windows (`wire.window.WindowStats`) and, every 10 s, a tick (`wire.window.Tick`) per entity.
Emits `wire.risk.Risk`, `wire.anomaly.Anomaly` and `wire.alert.Alert`.
Promises: the same code computes the features in training and in serving; a score is a calibrated probability of a model
whose version it names, or there is no score and the state says why ("learning", "failing", "quiet", version "off");
every memory is bounded; nothing here reads a clock, a file (but a model, once) or chance.
"""

from foregate.predict.alerts.thresholds import Thresholds
from foregate.predict.analyst import Analyst, Models
from foregate.predict.models.model import Model, ModelError, bundled_path, load_model

__all__ = ["Analyst", "Model", "ModelError", "Models", "Thresholds", "bundled_path", "load_model"]
