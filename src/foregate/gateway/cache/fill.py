"""One question to a service, and everybody who waits for its answer.

A fill is the receiver of the inner request. Whoever asks for the same meanwhile joins it: before the head has come it
waits, afterwards it reads what has come and goes on as it comes. An answer that may be stored is read as fast as it
comes, within the store's bounds, and held until the last reader has it; any other is passed on to the one who asked
for it, as fast as that one reads. Where several had begun before storing it was given up, as fast as the fastest reads:
what the slower ones still want is held, and without room for it the slowest are broken off. Nobody's leaving, and
nobody's slowness, matters to the others.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from foregate.gateway.cache.asked import Asked
from foregate.gateway.cache.give import close_body
from foregate.gateway.cache.reader import Reader
from foregate.gateway.facts import NO_FACTS, Facts
from foregate.gateway.held_bodies import HeldBodies
from foregate.gateway.inner.exchange import AnswerHead, InnerExchange
from foregate.http1 import trailers as trailer_fields
from foregate.http1.trailers import Fields
from foregate.ports.cache import Key, Moment, Stored, Writer

if TYPE_CHECKING:
    from foregate.gateway.cache.flow import Flow
    from foregate.gateway.inner import Asking
    from foregate.gateway.request import Request

AHEAD_BYTES_MAX = (
    262_144  # of an answer that is not stored, held for its fastest reader; beyond it we pause the service
)
UNWANTED_BYTES_MAX = 65_536  # of an error in whose stead a stale answer was given; a longer one is broken off


class Fill:
    """`stored` is what we ask about (its conditions went along), or what may be given instead of an error.

    `name` is what it is found by while others may join; `chunks` what of the body is held, of which `dropped` bytes'
    worth of pieces are gone already: then nobody may join.
    """

    __slots__ = (
        "_bodies", "_held", "_timer", "_tired", "_unwanted", "asked", "asking", "behind", "chunks", "done", "dropped",
        "error", "flow", "head", "inner", "kept", "key", "moment", "name", "readers", "request", "request_time_s",
        "said", "size", "stamp", "stored", "trailers", "waiting", "why", "writer",
    )  # fmt: skip

    def __init__(
        self,
        flow: Flow,
        asking: Asking,
        request: Request,
        asked: Asked,
        key: Key,
        *,
        name: bytes,
        why: bytes,
        stored: Stored | None,
    ) -> None:
        self.flow = flow
        self.asking = asking
        self.request = request
        self.asked = asked
        self.key = key
        self.name = name
        self.stored = stored
        self.moment: Moment = flow.store.moment(key)
        self.stamp = flow.paths.stamp(key) if flow.paths is not None else ()
        self.request_time_s = asking.clock.now()
        self.inner: InnerExchange | None = None
        self.head: AnswerHead | None = None
        self.kept: Stored | None = None  # what is being stored, without its body
        self.why = why  # it was necessary, in the words of RFC 9211
        self.said = b""  # in Cache-Status, once the head is there
        self.chunks: list[bytes] = []
        self.size = 0  # of these, in bytes
        self.dropped = 0
        self.done = False
        self.error = ""  # why it broke off
        self.behind = False  # nobody waits: a stale answer has been given
        self.trailers: Fields = trailer_fields.NONE
        self.waiting: list[Reader] = []  # for the head; whoever asked first is the first
        self.readers: list[Reader] = []  # of the body
        self.writer: Writer | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tired = False  # those who had joined have waited long enough
        self._bodies: HeldBodies = asking.bodies
        self._held = 0
        self._unwanted = -1  # bytes that have come of an answer that nobody wants

    @property
    def facts(self) -> Facts:
        """Of who was asked, as far as they are known."""
        inner = self.inner
        if inner is None:
            return NO_FACTS
        return inner.so_far if inner.facts is NO_FACTS else inner.facts

    @property
    def joinable(self) -> bool:
        """Whether somebody may still be given all of its answer."""
        if self.stored is not None and not isinstance(self.stored.body, bytes):
            return False  # what lies on the disk is read once
        if self.head is None:
            return len(self.waiting) < self.flow.settings.coalesce_max and not self._tired
        return self.writer is not None and not self.dropped

    def start(self, lines: tuple[bytes, ...]) -> None:
        """Ask; `lines` are to be sent."""
        self.inner = self.asking.ask(self.request, self, method=b"GET", kept=lines)

    # --- who waits ---------------------------------------------------------------------------------------------

    def join(self, reader: Reader) -> None:
        """Wait for the head, or read what has come."""
        if self.head is not None:
            self.read(reader)
            return
        self.waiting.append(reader)
        if self._timer is None and len(self.waiting) > 1 and not self._tired:
            loop, wait_s = asyncio.get_running_loop(), self.flow.settings.coalesce_wait_s
            self._timer = loop.call_later(wait_s, self._wait_over)

    def read(self, reader: Reader) -> None:
        """The head is there: be given it and the body."""
        self.readers.append(reader)
        reader.begin()

    def _wait_over(self) -> None:
        """It takes too long: who has joined asks by itself, and nobody waits for it any more."""
        self._timer, self._tired = None, True
        self.flow.forget(self)
        joined = [reader for reader in self.waiting if reader.joined]
        self.waiting = [reader for reader in self.waiting if not reader.joined]
        for reader in joined:
            reader.go_alone()
        self._unless_wanted()

    def left(self, reader: Reader) -> None:
        """A client has gone, or was answered otherwise."""
        for readers in (self.waiting, self.readers):
            if reader in readers:
                readers.remove(reader)
        self._unless_wanted()
        if self.readers:
            self.drain()
        elif self.done:
            self._release()

    def _unless_wanted(self) -> None:
        """Without anybody who waits an answer goes on only where it is being stored, or was asked for that alone."""
        if self.waiting or self.readers or self.done or self.writer is not None or self._unwanted >= 0:
            return
        if self.head is None and self.behind:
            return
        if self.head is None and self.stored is not None:
            close_body(self.stored)
        self._end()
        if self.inner is not None:
            self.inner.cancel()

    # --- AnswerReceiver ----------------------------------------------------------------------------------------

    def answer_head(self, head: AnswerHead) -> None:
        self._stop_waiting()
        self.head = head
        waiting, self.waiting = self.waiting, []
        self.flow.head_came(self, head, waiting)
        self._unless_wanted()

    def answer_body(self, chunks: list[bytes]) -> None:
        if self._unwanted >= 0:
            self._unwanted += sum(map(len, chunks))
            if self._unwanted > UNWANTED_BYTES_MAX and self.inner is not None:
                self.inner.cancel()
                self._end()
            return
        self.chunks += chunks
        self.size += sum(map(len, chunks))
        if self.writer is not None and not self._keep(chunks):
            self.give_up_storing()
        for reader in list(self.readers):
            reader.pump()
        self.drain()

    def answer_end(self, trailers: Fields) -> None:
        self.done, self.trailers = True, trailers
        writer, self.writer = self.writer, None
        if writer is not None:
            if trailers or (self.inner is not None and self.flow.doubts(self.inner)):
                writer.discard()
            else:
                writer.commit()
        self._end()
        for reader in list(self.readers):
            reader.pump()

    def answer_broken(self, code: str) -> None:
        """What came of it is no answer: nothing is stored, and no client may take it for a whole one."""
        self.done, self.error = True, code
        self.give_up_storing()
        self._end()
        for reader in list(self.readers):
            reader.pump()

    # --- the body ----------------------------------------------------------------------------------------------

    def ignore_body(self) -> None:
        """Nobody wants the answer that has begun."""
        self._unwanted = 0
        self.flow.forget(self)

    def _keep(self, chunks: list[bytes]) -> bool:
        size = sum(map(len, chunks))
        if self.writer is None or not self._bodies.spare(size):
            return False
        self._held += size
        return all(self.writer.append(chunk) for chunk in chunks)

    def give_up_storing(self) -> None:
        """It is too large, or it must not be; who has begun to read it gets the rest."""
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.discard()
        self.flow.forget(self)

    def drain(self) -> None:
        """Let go of what all have read, once nobody can join any more; pause the service for the fastest."""
        if self.writer is not None:
            return
        self._let_go()
        if self.done or self.inner is None:
            return
        while len(self.readers) > 1 and self.size > AHEAD_BYTES_MAX and not self._afford():
            slowest = min(self.readers, key=_read)
            self.readers.remove(slowest)
            slowest.break_off()
            self._let_go()
        ahead = self.size
        if len(self.readers) > 1 and ahead > AHEAD_BYTES_MAX:
            ahead = sum(map(len, self.chunks[_read(max(self.readers, key=_read)) - self.dropped :]))
        self.inner.pause(ahead > AHEAD_BYTES_MAX)

    def _let_go(self) -> None:
        read = min(map(_read, self.readers), default=self.dropped + len(self.chunks))
        if read > self.dropped:
            gone = self.chunks[: read - self.dropped]
            del self.chunks[: len(gone)]
            self.dropped = read
            size = sum(map(len, gone))
            self.size -= size
            self._give_back(size)

    def _afford(self) -> bool:
        """Whether there is room for all that is held."""
        more = self.size - self._held
        if more > 0:
            if not self._bodies.spare(more):
                return False
            self._held += more
        return True

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _give_back(self, size: int) -> None:
        if size := min(size, self._held):
            self._bodies.give(size)
            self._held -= size

    def _release(self) -> None:
        self.chunks.clear()
        self.size = 0
        self._give_back(self._held)

    def _end(self) -> None:
        """No more will come; who has not read all of it yet goes on."""
        self._stop_waiting()
        self.flow.forget(self)
        if not self.readers:
            self._release()


def _read(reader: Reader) -> int:
    """Pieces that it has been given."""
    return reader.at
