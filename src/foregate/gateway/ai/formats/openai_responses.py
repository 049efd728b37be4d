"""OpenAI's responses: POST /v1/responses. Passed on to providers that speak it; its events are typed and numbered."""

from __future__ import annotations

from typing import Any

import msgspec

from foregate.gateway.ai import sse
from foregate.gateway.ai.formats.format import Asked, BadRequest, Document, Malformed, Name, Whole
from foregate.gateway.ai.formats.openai import (
    InputDetails,
    OpenAIFormat,
    OutputDetails,
    Tokens,
    told_error,
    usage_of,
)
from foregate.gateway.ai.formats.openai_chat import content_tokens
from foregate.gateway.ai.formats.reading import count, flag, json_tokens, read_answer, read_object, write_json
from foregate.gateway.ai.formats.watch import Watch
from foregate.gateway.ai.tokens import MESSAGE_TOKENS
from foregate.gateway.ai.usage import Usage, settled


class ResponseUsage(msgspec.Struct):
    input_tokens: Tokens = None
    output_tokens: Tokens = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None

    def read(self) -> Usage:
        return usage_of(self.input_tokens, self.output_tokens, self.input_tokens_details, self.output_tokens_details)


class Incomplete(msgspec.Struct):
    reason: str | None = None


class ResponseObject(msgspec.Struct):
    """A whole answer, as it is also within the events that begin and end a stream."""

    model: str | None = None
    status: str | None = None
    output: list[dict[str, Any]] | None = None
    usage: ResponseUsage | None = None
    error: Any = None
    incomplete_details: Incomplete | None = None

    @property
    def finish_reason(self) -> str:
        return (self.incomplete_details and self.incomplete_details.reason) or self.status or ""


class ResponseEvent(msgspec.Struct):
    type: str = ""
    delta: str | dict[str, Any] | None = None
    response: ResponseObject | None = None
    message: str | None = None  # of an event "error"
    code: str | None = None
    error: Any = None


RESPONSE = msgspec.json.Decoder(ResponseObject)
_EVENT = msgspec.json.Decoder(ResponseEvent)
_ENDS = ("response.completed", "response.incomplete")
_NO_TEXT = ("response.audio.delta",)  # a delta that is not text


class ResponsesWatch(Watch):
    def _see(self, data: bytes) -> ResponseEvent | None:
        if data == b"[DONE]":
            return None  # some compatible providers say it as well
        event = _EVENT.decode(data)
        kind = event.type
        if kind.endswith(".delta"):
            if isinstance(event.delta, str) and event.delta and kind not in _NO_TEXT:
                self.count(event.delta)
        elif kind in ("error", "response.failed") or event.error:
            self._failed(event)
        elif event.response is not None:
            self._response(event.response, kind in _ENDS)
        return event

    def _failed(self, event: ResponseEvent) -> None:
        error = event.error or (event.response and event.response.error)
        told = told_error(error or {"message": event.message, "code": event.code})
        self.fail("told", told.message, told.code)

    def _response(self, response: ResponseObject, last: bool) -> None:
        self.model = self.model or response.model or ""
        if not last:
            return
        self.ended = True
        self.finish_reason = response.finish_reason
        if response.usage is not None:
            said = response.usage
            self.report(said.read(), said.input_tokens is not None, said.output_tokens is not None)


class OpenAIResponses(OpenAIFormat):
    name: Name = "openai-responses"
    path = b"/v1/responses"
    operation = "responses"

    def read(self, body: bytes) -> Asked:
        document = read_object(body)
        if flag(document, "background"):  # its answer would be fetched later and elsewhere: nobody could bill it
            raise BadRequest(
                "`background` responses are not carried: the answer must come with its request.", "background"
            )
        if not isinstance(document.get("input"), str | list | None):
            raise BadRequest("`input` must be a text or a list of items.", "input")
        output = count(document, "max_output_tokens")
        return Asked(self, document, stream=flag(document, "stream"), output_tokens_max=output)

    def count_input(self, document: Document) -> int:
        """Without what the provider itself remembers (`previous_response_id`, `conversation`), which only it knows."""
        told = document.get("input")
        entries = told if isinstance(told, list) else [{"content": told}]
        tokens = 3 + content_tokens(document.get("instructions"))
        for entry in entries:
            tokens += MESSAGE_TOKENS
            if isinstance(entry, dict):
                tokens += sum(content_tokens(entry.get(name)) for name in ("content", "output", "arguments", "summary"))
        return tokens + json_tokens(document.get("tools"))

    def error_event(self, status: int, message: str, code: str = "") -> bytes:
        error = {"type": "error", "code": code or None, "message": message, "param": None, "sequence_number": 0}
        return sse.write(write_json(error), b"error")


def whole(body: bytes, asked: Asked) -> Whole:
    """A whole answer that is passed on as it is."""
    answer = read_answer(RESPONSE, body)
    if answer.output is None or answer.status == "failed":
        said = f": {told_error(answer.error).message}" if answer.error else ""
        raise Malformed(f"the provider's answer is no completed response{said}")
    own_output = None
    usage = answer.usage or ResponseUsage()
    if usage.output_tokens is None:
        own_output = sum(content_tokens(item.get(name)) for item in answer.output for name in ("content", "arguments"))
    billed = settled(usage.read(), asked.input_tokens if usage.input_tokens is None else None, own_output)
    return Whole(body, billed, answer.finish_reason, answer.model or "")
