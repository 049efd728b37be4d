"""Log records on one machine: an SQLite file with an FTS5 index of their words.

Records lie in parts, each of one org and of some hours, written once and dropped whole: that frees their disk at once,
and a search reads the newest parts first. A record's number is its time in nanoseconds (a little later where that is
taken), so the newest come first without sorting.
"""

from foregate.adapters.embedded.logs.store import EmbeddedLogs

__all__ = ["EmbeddedLogs"]
