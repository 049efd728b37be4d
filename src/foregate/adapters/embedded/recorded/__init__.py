"""Recorded telemetry in files: minutes of entities as Parquet or CSV, see docs/reference/recorded-telemetry.md.

Consumes and emits `Recorded`. Promises: what cannot be meant is refused with a sentence that says file, row and what
to do; a file is read in batches; the same input writes the same bytes.
"""

from foregate.adapters.embedded.recorded.model import CELLS_MAX, ENTITIES_MAX, BadRecording, Recorded
from foregate.adapters.embedded.recorded.read import read_recorded
from foregate.adapters.embedded.recorded.write import write_recorded

__all__ = ["CELLS_MAX", "ENTITIES_MAX", "BadRecording", "Recorded", "read_recorded", "write_recorded"]
