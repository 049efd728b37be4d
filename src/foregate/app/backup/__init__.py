"""A data directory as a whole: backed up while it is in use, restored, and looked at for damage.

Promise: a backup is of one moment for each store, in an order that counts nothing twice after a restore: the stores
that follow the bus first, the bus last, so that they read on from where they were. What is not in it: events that lie
in spools (of the last second), stored answers, and what is made anew at each start.
"""

from foregate.app.backup.check import Finding, check
from foregate.app.backup.make import back_up
from foregate.app.backup.restore import restore

__all__ = ["Finding", "back_up", "check", "restore"]
