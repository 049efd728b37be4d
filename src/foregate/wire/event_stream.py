"""How streams of server-sent events may be kept alive."""

from foregate.wire.settings import Seconds, Settings


class EventStream(Settings, frozen=True):
    """Server-sent events: where a service is silent for `heartbeat_s`, a comment is written between two of them."""

    heartbeat_s: Seconds = 15.0
