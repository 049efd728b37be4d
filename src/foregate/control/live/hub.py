"""Hands messages to subscribers; a subscriber that does not keep up is dropped with a notice, never waited for."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from foregate.kernel.errors import ForegateError

SUBSCRIBERS_MAX = 100  # one more is refused with `overloaded`
QUEUE_MESSAGES_MAX = 32  # per subscriber; at the bound it is dropped with notice


class Message(NamedTuple):
    """One server-sent event: its name and its JSON."""

    name: str
    data: bytes


class Subscription:
    """A subscriber's own queue. `None` in it means that the stream ends."""

    def __init__(self, names: frozenset[str] | None) -> None:
        self.names = names
        self.queue: asyncio.Queue[Message | None] = asyncio.Queue(QUEUE_MESSAGES_MAX + 2)  # room for notice and end

    def offer(self, message: Message) -> bool:
        """False when the queue is at its bound."""
        if self.names is not None and message.name not in self.names:
            return True
        if self.queue.qsize() >= QUEUE_MESSAGES_MAX:
            return False
        self.queue.put_nowait(message)
        return True

    def end(self, notice: Message) -> None:
        """Throw away what waits; a notice why, then the end."""
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(notice)
        self.queue.put_nowait(None)


class Hub:
    """Belongs to one event loop. A new subscriber first gets the newest message of each name (except `events`)."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._newest: dict[str, Message] = {}
        self._closed = False
        self.closing = asyncio.Event()  # set when all streams are to end
        self.wanted = asyncio.Event()  # set while somebody listens
        self.dropped = 0  # subscribers dropped because they were too slow

    @property
    def subscribers(self) -> int:
        return len(self._subscriptions)

    @contextmanager
    def subscribe(self, names: frozenset[str] | None = None) -> Iterator[Subscription]:
        """A subscription for as long as the block runs. Raises ForegateError("overloaded") at the bound."""
        if self._closed or len(self._subscriptions) >= SUBSCRIBERS_MAX:
            raise ForegateError("overloaded", f"The console serves at most {SUBSCRIBERS_MAX} live streams.")
        subscription = Subscription(names)
        for message in self._newest.values():
            subscription.offer(message)
        self._subscriptions.add(subscription)
        self.wanted.set()
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            if not self._subscriptions:
                self.wanted.clear()

    def publish(self, message: Message, *, keep: bool = True) -> None:
        """Hand on at once. `keep` gives it to later subscribers too, until `forget`."""
        if keep:
            self._newest[message.name] = message
        for subscription in list(self._subscriptions):
            if not subscription.offer(message):
                self.dropped += 1
                self._subscriptions.discard(subscription)
                subscription.end(Message("dropped", b'{"reason":"this client reads too slowly"}'))
        if not self._subscriptions:
            self.wanted.clear()

    def forget(self) -> None:
        """Forget the kept messages: nobody listened for a while, they are old."""
        self._newest.clear()

    def close(self) -> None:
        """End all streams, so that a server can stop."""
        self._closed = True
        self.closing.set()
        for subscription in list(self._subscriptions):
            subscription.end(Message("closing", b'{"reason":"the console is stopping"}'))
        self._subscriptions.clear()
        self.wanted.set()
