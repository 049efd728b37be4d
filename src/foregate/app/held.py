"""Who holds a data directory, or one process's part of it: two at the same would count everything twice."""

import fcntl
import os

from foregate.adapters.embedded.locks import try_hold
from foregate.app.paths import DataDir


class InUse(Exception):
    """Somebody else holds it; the message says who and what to do."""


def is_held(data: DataDir) -> bool:
    """Whether a `foregate up` holds the data directory: a process id in a file may be somebody else's by now."""
    try:
        descriptor = os.open(data.lock, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def hold_part(data: DataDir, role: str, worker: int) -> int:
    """A descriptor that holds this role (and number of a gateway worker) until the process ends.

    For a process without a supervisor. Raises InUse, and OSError when the directory cannot be used.
    """
    if is_held(data):
        raise InUse(
            f"a foregate up runs with its data in {data.root} and has its own {role}: "
            "stop it, or give another data directory"
        )
    name = f"{role}-{worker}" if role == "gateway" else role
    descriptor = try_hold(data.root / f"{name}.lock")
    if descriptor is None:
        more = ": stop it, or give another --worker" if role == "gateway" else ": stop it"
        raise InUse(f"another foregate serve is {name} with its data in {data.root}{more}")
    return descriptor
