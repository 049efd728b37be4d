"""What a fake provider does with a request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from foregate.http1 import Request, Response, Server
from foregate.kernel.clock import SystemClock

Document = dict[str, Any]
Headers = Sequence[tuple[bytes, bytes]]
JSON: Headers = ((b"content-type", b"application/json"),)
EVENTS: Headers = ((b"content-type", b"text/event-stream; charset=utf-8"),)
ASKED_MAX = 10_000  # requests that are remembered; the oldest are forgotten beyond it
write_json = msgspec.json.encode


@dataclass(frozen=True)
class Call:
    """A tool call. Streamed in pieces of a few characters."""

    name: str
    arguments: str = "{}"
    id: str = "call_1"


@dataclass(frozen=True)
class Script:
    """One answer. `broken_at` counts events with tokens: 0 is before the first token."""

    pieces: Sequence[str] = ("Hello", ",", " world", "!")
    calls: Sequence[Call] = ()
    thoughts: Sequence[str] = ()
    finish: str = ""  # in the provider's words; by default what fits
    status: int = 200  # another: an error answer
    error: str = "The model is not well."
    headers: Headers = ()  # beside the content type
    first_token_s: float = 0.0
    pace_s: float = 0.0  # between tokens
    silent_s: float = 0.0  # before the head of the answer
    usage: bool = True  # whether it is told
    cached_tokens: int = 0
    input_tokens: int = 11
    lingers_s: float = 0.0  # after the last event of a stream, before the answer ends
    broken_at: int | None = None
    broken: Literal["aborted", "truncated", "malformed", "error", "silent"] = "aborted"
    body: bytes | None = None  # of a whole answer: sent as it is
    model: str = ""  # by default the one that was asked for

    @property
    def output_tokens(self) -> int:
        return len(self.pieces) + len(self.thoughts) + sum(len(list(cut(call.arguments))) for call in self.calls)


Answering = Script | Sequence[Script] | Callable[["Asked"], Script]


@dataclass(frozen=True)
class Asked:
    path: str
    document: Document
    headers: Sequence[tuple[bytes, bytes]]

    def header(self, name: str) -> str | None:
        wanted = name.lower().encode()
        return next((value.decode("latin-1") for field_name, value in self.headers if field_name == wanted), None)


@dataclass
class FakeProvider:
    """Answers by its script. In a sequence the last one goes on for ever. `left`: clients that left a stream.

    `tokens_sent` counts events with tokens that were handed to the engine.
    """

    script: Answering = field(default_factory=Script)
    asked: list[Asked] = field(default_factory=list)
    left: int = 0
    tokens_sent: int = 0
    _server: Server | None = None

    async def start(self, port: int = 0) -> int:
        self._server = Server(self._handle, SystemClock())
        return await self._server.start("127.0.0.1", port)

    async def close(self) -> None:
        if self._server is not None:
            await self._server.close()

    async def _handle(self, request: Request) -> Response:
        body = await request.body(64 << 20)
        document = msgspec.json.decode(body) if body else {}
        asked = Asked(request.path, document, request._exchange.headers)
        script = self._script(asked)
        self.asked.append(asked)
        del self.asked[:-ASKED_MAX]
        if script.silent_s:
            await asyncio.sleep(script.silent_s)
        if script.status != 200:
            return Response(script.status, self.error(script), (*JSON, *script.headers))
        if script.body is not None:
            return Response(200, script.body, (*JSON, *script.headers))
        if document.get("stream"):
            return Response(200, self._streamed(request, asked, script), (*EVENTS, *script.headers))
        if script.broken_at is not None:
            return Response(200, b'{"id": "half an ans', (*JSON, *script.headers))
        return Response(200, self.whole(asked, script), (*JSON, *script.headers))

    def _script(self, asked: Asked) -> Script:
        if isinstance(self.script, Script):
            return self.script
        if callable(self.script):
            return self.script(asked)
        return self.script[min(len(self.asked), len(self.script) - 1)]

    async def _streamed(self, request: Request, asked: Asked, script: Script) -> AsyncIterator[bytes]:
        tokens = 0
        try:
            for event, is_token in self.events(asked, script):
                if is_token:
                    if tokens == script.broken_at:
                        async for last in self._broken(request, script):
                            yield last
                        return
                    pause_s = script.pace_s if tokens else script.first_token_s
                    if pause_s:
                        await asyncio.sleep(pause_s)
                    tokens += 1
                    self.tokens_sent += 1
                yield event
            if script.lingers_s:
                await asyncio.sleep(script.lingers_s)
            if tokens == script.broken_at:
                async for last in self._broken(request, script):
                    yield last
        except asyncio.CancelledError:
            self.left += 1
            raise

    async def _broken(self, request: Request, script: Script) -> AsyncIterator[bytes]:
        if script.broken == "aborted":
            request._exchange.abort()
        elif script.broken == "malformed":
            yield b'event: content_block_delta\ndata: {"half": [{"an\n\n'
        elif script.broken == "error":
            yield self.error_event(script)
        elif script.broken == "silent":
            await asyncio.sleep(3_600)

    # --- what each language says -----------------------------------------------------------------------------

    def error(self, script: Script) -> bytes:
        raise NotImplementedError

    def error_event(self, script: Script) -> bytes:
        raise NotImplementedError

    def whole(self, asked: Asked, script: Script) -> bytes:
        raise NotImplementedError

    def events(self, asked: Asked, script: Script) -> Iterator[tuple[bytes, bool]]:
        """The events of a stream, and whether there are tokens in each."""
        raise NotImplementedError


def cut(text: str, size: int = 5) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))
