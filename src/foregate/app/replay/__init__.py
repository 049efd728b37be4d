"""Trying a configuration against recorded traffic: what would have become of those requests. Nothing is sent."""

from foregate.app.replay.compare import Report, replay
from foregate.app.replay.recorded import BadRecording, Recorded, from_bus, from_har

__all__ = ["BadRecording", "Recorded", "Report", "from_bus", "from_har", "replay"]
