"""Access logs of others, line by line: pure.

Each format is a `LineFormat`: `read(line)` gives an `Entry`, None for a line that is none (a comment, a heading), or
raises `Unreadable` with the reason. `find` looks one up by name, `guess` tells it from the first lines.
"""

from foregate.telemetry.formats.logs.entry import Entry, LineFormat, Unreadable
from foregate.telemetry.formats.logs.known import FORMATS, find, guess

__all__ = ["FORMATS", "Entry", "LineFormat", "Unreadable", "find", "guess"]
