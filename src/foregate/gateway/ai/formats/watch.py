"""What is learned from a provider's stream while it passes: tokens, usage, end or failure. One kind per format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from foregate.gateway.ai import sse
from foregate.gateway.ai.formats.format import Asked, Failure, Format
from foregate.gateway.ai.tokens import TextCounter
from foregate.gateway.ai.usage import Usage, settled

DETAIL_CHARS_MAX = 500  # of what a provider said about its error
CHOICES_MAX = 128  # of a stream, as many as may be asked for; beyond it the provider's stream is malformed
CALLS_MAX = 1_024  # of tools, in a stream that is translated; beyond it the same
HELD_CHARS_MAX = 8_388_608  # of an answer that has to be told again as a whole at its end; beyond it the same


class Watch:
    """Sees every event of a stream. What `see` returns is the event read, None where there is nothing in it."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.begun = False
        self.ended = False
        self.failure: Failure | None = None
        self.finish_reason = ""
        self.model = ""
        self.deltas = 0
        self.text = TextCounter()
        self.reported = Usage()
        self.input_reported = False
        self.output_reported = False

    def see(self, event: sse.Event) -> Any:
        if event.data is None:
            return None
        try:
            return self._see(event.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.fail("malformed", f"the provider sent an event that cannot be read: {error}")
            return None

    def _see(self, data: bytes) -> Any:
        raise NotImplementedError

    def closed(self) -> None:
        """The provider has closed. Sets `ended`, or a failure."""
        if not self.ended and self.failure is None:
            self.fail("truncated", "the provider's stream broke off before its end")

    def fail(self, kind: Any, message: str, code: str = "") -> None:
        self.failure = Failure(kind, message[:DETAIL_CHARS_MAX], code)

    def count(self, text: str) -> None:
        """A delta with tokens in it."""
        self.begun = True
        self.deltas += 1
        self.output_reported = False  # what was said of the output before this is not all of it
        self.text.add(text)

    def report(self, usage: Usage, input_reported: bool, output_reported: bool) -> None:
        """What the provider says it has used so far. Nothing, where there was a text, is not taken for said: some
        servers fill their numbers with zeros."""
        self.reported = usage
        self.input_reported = input_reported and usage.input > 0
        self.output_reported = output_reported and (usage.output > 0 or not self.deltas)

    def usage(self) -> Usage:
        own_input = None if self.input_reported else self.asked.input_tokens
        own_output = None if self.output_reported else self.text.tokens
        return settled(self.reported, own_input, own_output)


class _Passing:
    """What all streams have in common: events in, the watch, events out."""

    def __init__(self, watch: Watch, client: Format) -> None:
        self._watch = watch
        self._client = client
        self._parser = sse.Parser()

    @property
    def begun(self) -> bool:
        return self._watch.begun

    @property
    def ended(self) -> bool:
        return self._watch.ended

    @property
    def failure(self) -> Failure | None:
        return self._watch.failure

    @property
    def finish_reason(self) -> str:
        return self._watch.finish_reason

    @property
    def model(self) -> str:
        return self._watch.model

    @property
    def deltas(self) -> int:
        return self._watch.deltas

    def usage(self) -> Usage:
        return self._watch.usage()

    def error_event(self, status: int, message: str, code: str = "") -> bytes:
        return self._client.error_event(status, message, code)

    def finish(self) -> bytes:
        return b"" if self.ended or self.failure is not None else b"".join(self._last(self._parser.finish()))

    def _last(self, events: list[sse.Event]) -> list[bytes]:
        """What follows `events`, the last there are."""
        raise NotImplementedError

    def _events(self, chunk: bytes) -> list[sse.Event]:
        watch = self._watch
        if watch.ended or watch.failure is not None:
            return []
        try:
            return self._parser.feed(chunk)
        except sse.TooLarge as error:
            watch.fail("malformed", f"the provider sent {error}")
            return []


class PassedOn(_Passing):
    """A stream for a client of the same format: its bytes in whole events, without those that nobody wanted.

    `completion`: what the format's end is, for a provider that closes without saying it.
    """

    def __init__(
        self, watch: Watch, client: Format, unwanted: Callable[[Any], bool] | None = None, completion: bytes = b""
    ) -> None:
        super().__init__(watch, client)
        self._unwanted = unwanted
        self._completion = completion

    def feed(self, chunk: bytes) -> bytes:
        started_whole = not self._parser.waiting
        events = self._events(chunk)
        if not events:
            return b""
        out = self._pass(events)
        if started_whole and len(out) == len(events) and not self._parser.waiting:
            return chunk
        return b"".join(out)

    def _pass(self, events: list[sse.Event]) -> list[bytes]:
        watch, unwanted = self._watch, self._unwanted
        out: list[bytes] = []
        for event in events:
            read = watch.see(event)
            if watch.failure is not None:
                break
            if unwanted is None or read is None or not unwanted(read):
                out.append(event.raw)
            if watch.ended:
                break
        return out

    def _last(self, events: list[sse.Event]) -> list[bytes]:
        out = self._pass(events)
        if not self.ended and self.failure is None:
            out.append(self._close())
        return out

    def _close(self) -> bytes:
        self._watch.closed()
        return self._completion if self.ended else b""


class Translator:
    """A stream's translation, event by event. `feed` takes what the provider's watch has read."""

    def feed(self, read: Any) -> list[bytes]:
        raise NotImplementedError

    def end(self) -> list[bytes]:
        """The provider's stream came to its proper end; all of its usage is known."""
        raise NotImplementedError


class Translated(_Passing):
    """A stream for a client of another format."""

    def __init__(self, watch: Watch, client: Format, translator: Translator) -> None:
        super().__init__(watch, client)
        self._translator = translator

    def feed(self, chunk: bytes) -> bytes:
        return b"".join(self._translate(self._events(chunk)))

    def _translate(self, events: list[sse.Event]) -> list[bytes]:
        watch, translator = self._watch, self._translator
        out: list[bytes] = []
        for event in events:
            read = watch.see(event)
            if read is not None and watch.failure is None:
                out += translator.feed(read)
            if watch.failure is not None:
                break  # it cannot be read, or not be said
            if watch.ended:
                out += translator.end()
                break
        return out

    def _last(self, events: list[sse.Event]) -> list[bytes]:
        out = self._translate(events)
        if not self.ended and self.failure is None:
            out += self._close()
        return out

    def _close(self) -> list[bytes]:
        self._watch.closed()
        return self._translator.end() if self.ended else []
