"""Anthropic's messages: POST /v1/messages."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from foregate.gateway.ai import sse
from foregate.gateway.ai.formats.format import Asked, BadRequest, Document, Malformed, Name, Told, Whole
from foregate.gateway.ai.formats.openai import Tokens, read_error, told_error
from foregate.gateway.ai.formats.openai_chat import content_tokens
from foregate.gateway.ai.formats.reading import count, flag, items, json_tokens, read_answer, read_object, write_json
from foregate.gateway.ai.formats.watch import Watch
from foregate.gateway.ai.tokens import MESSAGE_TOKENS, estimate
from foregate.gateway.ai.usage import Usage, settled, unsaid

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


class OutputDetails(msgspec.Struct):
    thinking_tokens: Tokens = None


class MessageUsage(msgspec.Struct):
    """Counts are cumulative. `input_tokens` are without those read from or written to the cache."""

    input_tokens: Tokens = None
    output_tokens: Tokens = None
    cache_read_input_tokens: Tokens = None
    cache_creation_input_tokens: Tokens = None
    output_tokens_details: OutputDetails | None = None

    def read(self) -> Usage:
        cached, written = self.cache_read_input_tokens or 0, self.cache_creation_input_tokens or 0
        thought = (self.output_tokens_details and self.output_tokens_details.thinking_tokens) or 0
        return Usage((self.input_tokens or 0) + cached + written, self.output_tokens or 0, cached, written, thought)


class Block(msgspec.Struct):
    """A block of content: text, thinking, tool_use, and what else there is."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None

    @property
    def counted(self) -> str:
        called = (self.name or "") + (write_json(self.input).decode() if self.input else "")
        return (self.text or "") + (self.thinking or "") + called


class Message(msgspec.Struct):
    """A whole answer, as it also begins a stream."""

    id: str | None = None
    model: str | None = None
    content: list[Block] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: MessageUsage | None = None
    error: Any = None


class Delta(msgspec.Struct):
    """Of a block (text, partial_json, thinking), or of the message (stop_reason)."""

    type: str = ""
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    stop_reason: str | None = None


class MessageEvent(msgspec.Struct):
    type: str = ""
    index: int = 0
    message: Message | None = None
    content_block: Block | None = None
    delta: Delta | None = None
    usage: MessageUsage | None = None
    error: Any = None


MESSAGE = msgspec.json.Decoder(Message)
_EVENT = msgspec.json.Decoder(MessageEvent)


class MessagesWatch(Watch):
    """Its input is known from the first event on, its output only at the end."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._said = MessageUsage()

    def _see(self, data: bytes) -> MessageEvent | None:
        event = _EVENT.decode(data)
        kind = event.type
        if kind == "content_block_delta":
            if (delta := event.delta) is not None:
                text = delta.text or delta.partial_json or delta.thinking
                if text:
                    self.count(text)
        elif kind == "content_block_start":
            if (block := event.content_block) is not None and block.counted:
                self.count(block.counted)
        elif kind == "message_start":
            self._started(event)
        elif kind == "message_delta":
            self._finishing(event)
        elif kind == "message_stop":
            self.ended = True
        elif kind == "error":
            told = told_error(event.error)
            self.fail("told", told.message, told.code)
        return event

    def _started(self, event: MessageEvent) -> None:
        if (message := event.message) is not None:
            self.model = message.model or ""
            if message.usage is not None:
                self._said = message.usage
                self.report(message.usage.read(), message.usage.input_tokens is not None, False)

    def _finishing(self, event: MessageEvent) -> None:
        if event.delta is not None and event.delta.stop_reason:
            self.finish_reason = event.delta.stop_reason
        if event.usage is not None:
            for name in MessageUsage.__struct_fields__:
                value = getattr(event.usage, name)
                if value is not None:
                    setattr(self._said, name, value)
            said = self._said
            self.report(said.read(), said.input_tokens is not None, event.usage.output_tokens is not None)

    def closed(self) -> None:
        if self.finish_reason:
            self.ended = True
        else:
            super().closed()


def usage_document(usage: Usage) -> dict[str, Any]:
    """`usage` as messages say it."""
    return {
        "input_tokens": max(0, usage.input - usage.cached - usage.cache_written),
        "cache_creation_input_tokens": usage.cache_written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.output,
    }


class AnthropicMessages:
    name: Name = "anthropic-messages"
    path = b"/v1/messages"
    operation = "chat"
    vendor: Literal["openai", "anthropic"] = "anthropic"

    def read(self, body: bytes) -> Asked:
        document = read_object(body)
        items(document, "messages")
        output = count(document, "max_tokens")
        if output is None:
            raise BadRequest("`max_tokens` is required.", "max_tokens")
        return Asked(self, document, stream=flag(document, "stream"), output_tokens_max=output)

    def count_input(self, document: Document) -> int:
        tokens = 3 + content_tokens(document.get("system"))
        for message in document["messages"]:
            tokens += MESSAGE_TOKENS
            if isinstance(message, dict):
                tokens += content_tokens(message.get("content"))
        return tokens + json_tokens(document.get("tools"))

    def error_body(self, status: int, message: str, code: str = "", param: str = "") -> bytes:
        """`code` and `param` have no place in Anthropic's errors: the parameter is named in the sentence."""
        kind = _TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
        sentence = f"{param}: {message}" if param and param not in message else message
        return write_json({"type": "error", "error": {"type": kind, "message": sentence}, "request_id": None})

    def error_event(self, status: int, message: str, code: str = "") -> bytes:
        return sse.write(self.error_body(status, message, code), b"error")

    def read_error(self, body: bytes) -> Told:
        return read_error(body)


def read_message(body: bytes) -> Message:
    """A whole message. Raises Malformed."""
    message = read_answer(MESSAGE, body)
    if message.error:
        raise Malformed(f"the provider answered 200 with an error: {told_error(message.error).message}")
    if message.content is None:
        raise Malformed("the provider's answer has no content")
    return message


def message_whole(message: Message, body: bytes, asked: Asked) -> Whole:
    """`message` as `body` says it to the client."""
    said = message.usage or MessageUsage()
    own_output = None
    if not said.output_tokens:
        own_output = unsaid(said.output_tokens, sum(estimate(block.counted) for block in message.content or ()))
    usage = settled(said.read(), asked.input_tokens if said.input_tokens is None else None, own_output)
    return Whole(body, usage, message.stop_reason or "", message.model or "")


def whole(body: bytes, asked: Asked) -> Whole:
    """A whole answer that is passed on as it is."""
    return message_whole(read_message(body), body, asked)
