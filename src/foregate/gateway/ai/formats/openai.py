"""What OpenAI's formats have in common: errors, usage, the end of streams."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from foregate.gateway.ai import sse
from foregate.gateway.ai.formats.format import Told
from foregate.gateway.ai.formats.reading import write_json
from foregate.gateway.ai.usage import Usage

Tokens = Annotated[int, Meta(ge=0, le=1 << 40)] | None  # a count beyond that is no count, and neither is a negative one
DONE = b"data: [DONE]\n\n"
_MESSAGE_CHARS_MAX = 2_000  # of what a provider says about an error; the rest is cut off
_PLAIN_CHARS_MAX = 200  # of an error that is not JSON
_NO_REASON = "The provider gave no reason."
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class InputDetails(msgspec.Struct):
    cached_tokens: Tokens = None
    cache_write_tokens: Tokens = None


class OutputDetails(msgspec.Struct):
    reasoning_tokens: Tokens = None


class UsageDocument(msgspec.Struct):
    """`usage` of chat, completions and embeddings."""

    prompt_tokens: Tokens = None
    completion_tokens: Tokens = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None

    def read(self) -> Usage:
        return usage_of(
            self.prompt_tokens, self.completion_tokens, self.prompt_tokens_details, self.completion_tokens_details
        )


def usage_of(
    input_tokens: int | None,
    output_tokens: int | None,
    of_input: InputDetails | None,
    of_output: OutputDetails | None,
) -> Usage:
    return Usage(
        input_tokens or 0,
        output_tokens or 0,
        (of_input and of_input.cached_tokens) or 0,
        (of_input and of_input.cache_write_tokens) or 0,
        (of_output and of_output.reasoning_tokens) or 0,
    )


def usage_document(usage: Usage) -> dict[str, Any]:
    """`usage` as chat completions say it."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


class OpenAIFormat:
    """Errors of all of OpenAI's formats: {"error": {"message", "type", "param", "code"}}."""

    vendor: Literal["openai", "anthropic"] = "openai"

    def error_body(self, status: int, message: str, code: str = "", param: str = "") -> bytes:
        kind = _TYPES.get(status) or ("server_error" if status >= 500 else "invalid_request_error")
        error = {"message": message, "type": kind, "param": param or None, "code": code or None}
        return write_json({"error": error})

    def error_event(self, status: int, message: str, code: str = "") -> bytes:
        return sse.write(self.error_body(status, message, code)) + DONE

    def read_error(self, body: bytes) -> Told:
        return read_error(body)


def told_error(error: Any) -> Told:
    """What an error object says, in whichever of the shapes that providers use."""
    if isinstance(error, str) and error:
        return Told(error[:_MESSAGE_CHARS_MAX])
    if not isinstance(error, dict):
        return Told(_NO_REASON)
    message = next((error[name] for name in ("message", "detail") if isinstance(error.get(name), str)), _NO_REASON)
    code = next((str(error[name]) for name in ("code", "type") if isinstance(error.get(name), str | int)), "")
    param = error.get("param")
    return Told(message[:_MESSAGE_CHARS_MAX], code, param if isinstance(param, str) else "")


def read_error(body: bytes) -> Told:
    """A provider's error answer: an object with `error`, or the error itself, or any text."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Told(body[:_PLAIN_CHARS_MAX].decode("utf-8", "replace").strip() or _NO_REASON)
    if isinstance(document, dict) and "error" in document:
        return told_error(document["error"])
    return told_error(document)
