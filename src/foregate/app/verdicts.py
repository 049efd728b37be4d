"""verdicts.json: what the gateway workers follow, made of what the store holds, whoever has changed it."""

from foregate.adapters.embedded.locks import exclusive
from foregate.app.paths import DataDir, write_private
from foregate.kernel.clock import Clock
from foregate.ports.verdicts import VerdictStore
from foregate.wire.verdicts import Verdicts, decode_verdicts, encode_verdicts


def publish(data: DataDir, store: VerdictStore, clock: Clock) -> Verdicts:
    """Write what is in force now, for the workers to see within `app.roles.follow.LOOK_S`.

    Read and written under one lock: of two processes that do it at once, the later one writes the newer. Not durable:
    it is made anew by the next start. Raises OSError.
    """
    with exclusive(data.verdicts.with_name("verdicts.lock")):
        verdicts = store.verdicts(clock.now())
        write_private(data.verdicts, encode_verdicts(verdicts).decode(), durable=False)
    return verdicts


def published(data: DataDir) -> Verdicts:
    """What was written last; nothing when there is no such file. Raises OSError or msgspec.DecodeError."""
    try:
        return decode_verdicts(data.verdicts.read_bytes())
    except FileNotFoundError:
        return Verdicts()
