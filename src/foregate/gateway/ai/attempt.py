"""One attempt at one model: what its provider answers, told to the conversation once it is known what it is.

Until a first token nothing is told but failure: the next model can be asked without the client's noticing. A stream is
held back until then, in bounded memory. So is its last event until the answer has ended: clients leave with it, and by
then the event must lie where it outlives this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from foregate.gateway.ai.answering import Trouble, others_may, refused
from foregate.gateway.ai.formats import Malformed, Stream
from foregate.gateway.ai.usage import Usage
from foregate.gateway.facts import NO_FACTS, Facts
from foregate.http1.headers import HeaderList, find
from foregate.http1.trailers import Fields
from foregate.kernel.errors import ERRORS

if TYPE_CHECKING:
    from foregate.gateway.ai.conversation import Conversation
    from foregate.gateway.ai.formats.format import Translation, Whole
    from foregate.gateway.ai.health import ModelHealth
    from foregate.gateway.ai.models import Candidate
    from foregate.gateway.inner import AnswerHead, InnerExchange

ERROR_BYTES_MAX = 65_536  # of a provider's error; the rest is not read
HELD_BYTES_MAX = 1_048_576  # of events without a token in them; a provider that sends more before its first is broken
SAID_CHARS_MAX = 64  # of a provider's own word for its failure
END_GRACE_S = 0.1  # the last event waits this long for the provider to end its answer; then its connection is given up
_OK = range(200, 300)


class Attempt:
    """`AnswerReceiver` of its inner request."""

    __slots__ = (
        "_body",
        "_chunks",
        "_conversation",
        "_head",
        "_held",
        "_size",
        "_timer",
        "began_s",
        "begun",
        "candidate",
        "facts",
        "health",
        "inner",
        "over",
        "stream",
        "way",
    )

    def __init__(
        self, conversation: Conversation, candidate: Candidate, way: Translation, body: bytes, health: ModelHealth
    ) -> None:
        self._conversation = conversation
        self._body = body
        self._chunks: list[bytes] = []
        self._size = 0
        self._held: list[bytes] = []
        self._head: AnswerHead | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.began_s = conversation.asking.clock.monotonic()
        self.candidate = candidate
        self.health = health
        self.way = way
        self.inner: InnerExchange | None = None
        self.facts: Facts = NO_FACTS  # what became of the inner request, once this is over
        self.stream: Stream | None = None
        self.begun = False  # a first token is on its way to the client
        self.over = False

    def start(self) -> None:
        """Ask."""
        conversation, provider = self._conversation, self.candidate.provider
        settings = conversation.models.settings
        wait_s = settings.first_token_timeout_s if conversation.asked.stream else settings.answer_timeout_s
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._too_late)
        self.inner = conversation.asking.ask(
            conversation.request,
            self,
            service=self.candidate.service,
            method=b"POST",
            path=provider.path.encode() + self.way.provider.path.removeprefix(b"/v1"),
            query=b"",
            kept=self.candidate.kept,
            body=self._body,
            bare=True,
        )

    def end(self) -> None:
        """Nothing more of it is wanted."""
        self.over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        inner, self.inner = self.inner, None
        if inner is not None:
            inner.cancel()
            self.facts = inner.facts
            inner.forget()

    def usage(self) -> Usage:
        """Of what has come of it so far: its prompt was sent, whatever has been answered."""
        if self.stream is not None:
            return self.stream.usage()
        return Usage(self._conversation.asked.input_tokens, estimated=True)

    # --- AnswerReceiver --------------------------------------------------------------------------------------

    def answer_head(self, head: AnswerHead) -> None:
        if self.over:
            return
        if head.error:
            self._failed(head.error)
            return
        self._head = head
        if head.status in _OK and self._conversation.asked.stream:
            if not (find(head.headers, b"content-type") or b"").lower().startswith(b"text/event-stream"):
                self._failed("provider_malformed", "a whole answer instead of a stream")
                return
            self.stream = self.way.stream(self._conversation.asked)

    def answer_body(self, chunks: list[bytes]) -> None:
        try:
            self._more(chunks)
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not leave the client waiting
            self._conversation.mistaken(self, error)

    def answer_end(self, trailers: Fields) -> None:
        try:
            self._come_to_its_end()
        except Exception as error:  # noqa: BLE001 - as above
            self._conversation.mistaken(self, error)

    def answer_broken(self, code: str) -> None:
        if self.over:
            return
        if self.stream is not None and self.stream.ended:
            self._whole_stream(self.stream)  # what broke came after it
        elif self.begun and self.stream is not None:
            self._conversation.stream_broken(self, self.stream, code, ERRORS[code].title)
        else:
            self._failed(code)

    # --- what is made of it ----------------------------------------------------------------------------------

    def _more(self, chunks: list[bytes]) -> None:
        if self.over or self._head is None:
            return
        if self.stream is not None:
            for chunk in chunks:
                if not self.over and not self.stream.ended:
                    self._streamed(self.stream, self.stream.feed(chunk))
            if self.begun and not self.over:
                self._conversation.request.exchange.flush()  # once for all that has come at once
            return
        self._chunks += chunks
        self._size += sum(map(len, chunks))
        if self._head.status not in _OK:
            if self._size > ERROR_BYTES_MAX:
                self._error(self._head.status, self._head.headers)
        elif self._size > self._conversation.models.settings.answer_bytes_max:
            self._failed("provider_malformed", "a larger answer than answer_bytes_max")

    def _come_to_its_end(self) -> None:
        if self.over or self._head is None:
            return
        if self.stream is not None:
            stream = self.stream
            out = stream.finish()
            if stream.failure is not None or not (self.begun or stream.ended):
                self._streamed(stream, out)
            else:
                self._whole_stream(stream, out)
        elif self._head.status in _OK:
            self._whole()
        else:
            self._error(self._head.status, self._head.headers)

    # --- streams ---------------------------------------------------------------------------------------------

    def _streamed(self, stream: Stream, out: bytes) -> None:
        """More of a stream, as the client is to see it."""
        conversation, failure = self._conversation, stream.failure
        if failure is not None:
            code = "upstream_truncated" if failure.kind == "truncated" else "provider_malformed"
            if failure.kind == "told":
                code = "provider_failed"
            if not self.begun and not stream.begun:
                self._failed(code, failure.message, failure.code)
                return
            self._pass_on(out)
            conversation.stream_broken(self, stream, code, failure.message)
            return
        if stream.ended:
            self._begin()
            self._held.append(out)
            conversation.last_event_came()
            self._wait_for(END_GRACE_S, self._lingers)
        elif self.begun or stream.begun:
            self._pass_on(out)
        else:
            self._held.append(out)
            self._size += len(out)
            if self._size > HELD_BYTES_MAX:
                self._failed("provider_malformed", "no token in the first events")

    def _pass_on(self, out: bytes) -> None:
        self._begin()
        if out and not self.over:
            self._conversation.stream_more(self, out)

    def _begin(self) -> None:
        """The first token is here: from now on this attempt is the answer."""
        if self.begun:
            return
        self.begun = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        held, self._held = b"".join(self._held), []
        self._conversation.stream_began(self, held)

    def _lingers(self) -> None:
        """The last event has come, the end of the answer has not."""
        if not self.over and self.stream is not None:
            self._whole_stream(self.stream)

    def _whole_stream(self, stream: Stream, rest: bytes = b"") -> None:
        """All of it has come: what was held of it goes with its end."""
        self._begin()
        if not self.over:
            self._conversation.stream_ended(self, stream, b"".join(self._held) + rest)

    # --- whole answers ---------------------------------------------------------------------------------------

    def _whole(self) -> None:
        try:
            whole: Whole = self.way.answer(b"".join(self._chunks), self._conversation.asked)
        except Malformed as error:
            self._failed("provider_malformed", str(error))
            return
        self._conversation.answered(self, whole)

    def _error(self, status: int, headers: HeaderList) -> None:
        body = b"".join(self._chunks)[:ERROR_BYTES_MAX]
        told = self.way.provider.read_error(body)
        if others_may(status):
            self._conversation.attempt_failed(self, refused(status, told.message, headers))
        else:
            self._conversation.refused(self, status, body, told)

    # --- and none --------------------------------------------------------------------------------------------

    def _too_late(self) -> None:
        self._timer = None
        if not self.over:
            self._failed("upstream_timeout")

    def _wait_for(self, seconds: float, then: Callable[[], None]) -> None:
        if self._timer is None and not self.over:
            self._timer = asyncio.get_running_loop().call_later(seconds, then)

    def _failed(self, code: str, message: str = "", said: str = "") -> None:
        counts = ERRORS[code].fault != "ours"
        word = "_".join(said[:SAID_CHARS_MAX].split())  # attempts are told apart by spaces
        text = f"{code}({word})" if word else code
        self._conversation.attempt_failed(self, Trouble(code, text, 0, message, counts))
