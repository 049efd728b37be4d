"""`foregate import`: logs that people have, onto the bus, as the past: resumable, and never the same line twice."""

from foregate.app.importing.run import BadImport, Outcome, Wanted, import_file

__all__ = ["BadImport", "Outcome", "Wanted", "import_file"]
