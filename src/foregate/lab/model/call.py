"""One request as a service sees it, and what may become of it."""

from collections.abc import Callable
from dataclasses import dataclass


class Call:
    """A request. `emit(chunk) -> still_there` carries a stream token by token; None means nobody reads along."""

    __slots__ = ("body", "emit", "first_byte_s", "method", "path")

    def __init__(self, method: str, path: str, body: bytes = b"", emit: Callable[[bytes], bool] | None = None) -> None:
        self.method = method
        self.path = path
        self.body = body
        self.emit = emit
        self.first_byte_s: float | None = None  # loop time at which a stream began


@dataclass(slots=True)
class Answer:
    """`size` is the body's length where the body itself was streamed or not written out."""

    status: int
    body: bytes = b""
    size: int = 0

    @property
    def body_bytes(self) -> int:
        return self.size or len(self.body)


class Failure(Exception):
    """A call that a mechanism refused; the service answers with `status` and the reason."""

    status = 500


class Saturated(Failure):
    """No seat became free in time, or the queue for one is full."""

    status = 503


class OutOfMemory(Failure):
    """The heap has no room for the request."""

    status = 503


class QuotaUsed(Failure):
    """The provider answered 429: its quota for this hour is used up."""

    status = 503


class DependencyFailed(Failure):
    """A service this one needs did not answer as it should."""

    status = 502


class NotThere(Failure):
    """What was asked for does not exist."""

    status = 404


class Refused(Exception):
    """Nobody listens: the process is down."""


class Closed(Exception):
    """The process died while it worked on the call."""
