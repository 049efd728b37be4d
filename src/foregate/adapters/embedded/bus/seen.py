"""Which batches there were, by the ids that their senders gave them: what is sent again is stored once.

Bounded in time and in rows; beyond either bound the oldest are forgotten, and sent again they would count as new.
"""

import hashlib
import sqlite3

ONCE_S = 86_400.0
ONCE_ROWS_MAX = 1_000_000  # about 60 MB of the file
_FORGET_EVERY = 64  # ids, so that forgetting costs each of them next to nothing
_FORGET_ROWS = 256  # at a time


def is_new(db: sqlite3.Connection, once: str, now_s: float, rows_max: int) -> bool:
    """Note the id; False when it was noted within the last day. Call it within a transaction."""
    digest = hashlib.blake2b(once.encode(), digest_size=16).digest()
    if _note(db, digest, now_s, rows_max):
        return True
    forgotten = db.execute("DELETE FROM seen WHERE digest = ? AND time_s < ?", (digest, now_s - ONCE_S)).rowcount
    return bool(forgotten) and _note(db, digest, now_s, rows_max)


def _note(db: sqlite3.Connection, digest: bytes, now_s: float, rows_max: int) -> bool:
    noted = db.execute("INSERT OR IGNORE INTO seen (digest, time_s) VALUES (?, ?)", (digest, now_s))
    if noted.rowcount == 0:
        return False
    number = noted.lastrowid or 0
    if number % _FORGET_EVERY == 0:
        db.execute(
            "DELETE FROM seen WHERE number IN (SELECT number FROM seen ORDER BY number LIMIT ?) "
            "AND (number <= ? OR time_s < ?)",
            (_FORGET_ROWS, number - rows_max, now_s - ONCE_S),
        )
    return True
