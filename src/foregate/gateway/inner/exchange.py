"""The exchange of a request that a policy asked: to the way upstream it looks like a client's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from foregate.gateway.facts import NO_FACTS, Facts
from foregate.http1 import trailers as trailer_fields
from foregate.http1.date import date_line
from foregate.http1.head import RequestHead
from foregate.http1.headers import HeaderList
from foregate.http1.trailers import Fields
from foregate.http1.tunnel import TunnelReceiver
from foregate.wire.event import Protocol as Spoken

if TYPE_CHECKING:
    from foregate.gateway.request import Request
    from foregate.http1.exchange import RequestReceiver
    from foregate.kernel.clock import Clock


class AnswerHead(NamedTuple):
    """`headers` as the service sent them (lower-case names, hop-by-hop fields included; not to be changed).

    `error`: the code, where this is a problem of ours. `length` of the body, None where it is not known beforehand."""

    status: int
    headers: HeaderList
    length: int | None
    error: str = ""


class AnswerReceiver(Protocol):
    """Exactly one of `answer_end` and `answer_broken` comes last, unless it was cancelled."""

    def answer_head(self, head: AnswerHead) -> None: ...

    def answer_body(self, chunks: list[bytes]) -> None: ...

    def answer_end(self, trailers: Fields) -> None: ...

    def answer_broken(self, code: str) -> None:
        """The answer broke off after its head: it must not be taken for a whole one."""
        ...


class _Nobody:
    """Who is told when nobody wants to know any more."""

    def answer_head(self, head: AnswerHead) -> None: ...

    def answer_body(self, chunks: list[bytes]) -> None: ...

    def answer_end(self, trailers: Fields) -> None: ...

    def answer_broken(self, code: str) -> None: ...


_NOBODY = _Nobody()


class InnerExchange:
    """What `http1.Exchange` is for a client's request. The whole request is there from the beginning.

    `exact`: its path is the one to be asked for, the route's rewriting does not concern it. `bare`: the service is not
    told who the client is.
    """

    __slots__ = (
        "_clock",
        "_early",
        "_out",
        "_receiver",
        "answered",
        "bare",
        "body_bytes_max",
        "client_certificate",
        "close_after",
        "exact",
        "facts",
        "head",
        "head_sent",
        "headers",
        "method",
        "over",
        "overrun",
        "peer",
        "receiver",
        "request_bytes",
        "response_bytes",
        "so_far",
        "target",
        "underscores",
    )

    version = "1.1"
    protocol: Spoken = "http/1.1"
    trailers: Fields = trailer_fields.NONE
    complete = told_complete = True
    has_body = False
    inbox: tuple[bytes, ...] = ()
    paused = False  # who asked pauses by `pause`
    upgrade = b""

    def __init__(
        self,
        receiver: AnswerReceiver,
        parent: Request,
        method: bytes,
        target: bytes,
        size: int,
        exact: bool,
        clock: Clock,
    ) -> None:
        self._receiver = receiver
        self._clock = clock
        self._out: list[bytes] = []
        self._early: list[tuple[Callable[..., None], tuple[Any, ...]]] | None = []  # to be told once `ask` has returned
        self.answered = self.head_sent = self.close_after = self.bare = False
        self.over = False  # answered, broken off or cancelled: nothing is told any more
        self.overrun = False  # more came than the answer said: whatever it was, it is not to be kept
        self.facts: Facts = NO_FACTS  # of its end …
        self.so_far: Facts = NO_FACTS  # … and, from the head on, of what is known before that
        self.receiver: RequestReceiver | None = None
        self.method = method
        self.target = target
        self.exact = exact
        self.headers = parent.headers
        self.head = RequestHead(host=parent.host, notes=parent.fields)
        self.peer = parent.exchange.peer
        self.client_certificate = parent.exchange.client_certificate
        self.underscores = parent.exchange.underscores
        self.body_bytes_max = self.request_bytes = size
        self.response_bytes = 0

    # --- for who asked ---------------------------------------------------------------------------------------

    def pause(self, paused: bool) -> None:
        """Back-pressure: stop or resume reading the answer."""
        if not self.over and self.receiver is not None:
            self.receiver.response_paused(paused)

    def cancel(self) -> None:
        """The answer is not wanted any more: its attempt is dropped."""
        if self.over:
            return
        self.over = self.answered = True
        if self.receiver is not None and self.facts is NO_FACTS:
            self.receiver.request_aborted("client_closed")

    def forget(self) -> None:
        """Who asked has no more use for it, nor for its facts. It knows its request, which knows it: cycles that only
        the collector would free."""
        self.cancel()
        self.receiver = None
        self._receiver = _NOBODY
        self.facts = self.so_far = NO_FACTS

    def asked(self) -> None:
        """`ask` is about to return: who asked knows this exchange from here on, and may be told."""
        early, self._early = self._early, None
        if early:
            asyncio.get_running_loop().call_soon(self._tell_early, early)

    def _tell_early(self, early: list[tuple[Callable[..., None], tuple[Any, ...]]]) -> None:
        for tell, args in early:
            self._tell(tell, *args)

    def _tell(self, tell: Callable[..., None], *args: Any) -> None:
        if self._early is not None:
            self._early.append((tell, args))
        elif not self.over:
            tell(*args)

    def settle(self, facts: Facts) -> None:
        """Called by the recorder, before the last byte is told."""
        self.facts = facts

    # --- what Exchange has -----------------------------------------------------------------------------------

    @property
    def date_line(self) -> bytes:
        return date_line(self._clock.now())

    def take_body(self) -> list[bytes]:
        return []

    def begin(self, status: int, headers: HeaderList, length: int | None) -> None:
        """The head of a service's answer."""
        self._tell_head(AnswerHead(status, headers, length))

    def send_head(self, status: int, lines: bytes, length: int | None) -> None:
        """A head of our own: a problem, or a fixed answer instead of one."""
        fields = [line.partition(b": ") for line in lines.split(b"\r\n")[1:] if line]
        self._tell_head(AnswerHead(status, [(name, value) for name, _, value in fields], length, self.facts.error))

    def send_whole(self, status: int, lines: tuple[bytes, ...], length: int | None, chunks: list[bytes]) -> None:
        self.send_head(status, b"".join(lines), length)
        for chunk in chunks:
            self.write(chunk)

    def _tell_head(self, head: AnswerHead) -> None:
        self.head_sent = True
        self._tell(self._receiver.answer_head, head)

    def begin_tunnel(self, lines: bytes, receiver: TunnelReceiver) -> None:
        """Nobody has asked for one."""
        raise NotImplementedError("a request of ours does not become a tunnel")

    def write(self, chunk: bytes) -> None:
        if chunk and not self.over:
            self.response_bytes += len(chunk)
            self._out.append(chunk)

    def flush(self) -> None:
        if self._out:
            out, self._out = self._out, []
            self._tell(self._receiver.answer_body, out)

    def end(self, trailers: Fields = trailer_fields.NONE) -> None:
        self.flush()
        self.answered = True
        self._tell(self._end, self._receiver.answer_end, trailers)

    def abort(self) -> None:
        """It broke off."""
        self.answered = True
        self._tell(self._end, self._receiver.answer_broken, self.facts.error or "internal")

    def _end(self, tell: Callable[[Any], None], told: Any) -> None:
        """The last that is told."""
        self.over = True
        tell(told)

    def send_continue(self) -> None:
        """Nobody waits for it."""

    def pause_body(self, paused: bool) -> None:
        """It has all come."""
