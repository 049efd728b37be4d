"""A fake provider in Anthropic's language: messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from foregate.lab.providers.script import Asked, FakeProvider, Script, cut, write_json

_TYPES = {400: "invalid_request_error", 429: "rate_limit_error", 529: "overloaded_error"}


def _event(kind: str, **more: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + write_json({"type": kind} | more) + b"\n\n"


class FakeAnthropic(FakeProvider):
    def error(self, script: Script) -> bytes:
        kind = _TYPES.get(script.status, "api_error")
        return write_json({"type": "error", "error": {"type": kind, "message": script.error}})

    def error_event(self, script: Script) -> bytes:
        return b"event: error\ndata: " + self.error(script) + b"\n\n"

    def whole(self, asked: Asked, script: Script) -> bytes:
        content: list[dict[str, Any]] = []
        if script.thoughts:
            content.append({"type": "thinking", "thinking": "".join(script.thoughts), "signature": "c2lnbmVk"})
        if script.pieces:
            content.append({"type": "text", "text": "".join(script.pieces)})
        for call in script.calls:
            given = msgspec.json.decode(call.arguments)
            content.append({"type": "tool_use", "id": call.id, "name": call.name, "input": given})
        answer = _message(asked, script, content) | {"stop_reason": _stop_reason(script), "usage": _usage(script)}
        if not script.usage:
            del answer["usage"]
        return write_json(answer)

    def events(self, asked: Asked, script: Script) -> Iterator[tuple[bytes, bool]]:
        begun = _message(asked, script, []) | {"stop_reason": None, "usage": _usage(script) | {"output_tokens": 1}}
        if not script.usage:
            del begun["usage"]
        yield _event("message_start", message=begun), False
        yield _event("ping"), False
        for index, (kind, block, delta, parts) in enumerate(_blocks(script)):
            yield _event("content_block_start", index=index, content_block=block), False
            for part in parts:
                yield _event("content_block_delta", index=index, delta={"type": kind, delta: part}), True
            if kind == "thinking_delta":
                signed = {"type": "signature_delta", "signature": "c2lnbmVk"}
                yield _event("content_block_delta", index=index, delta=signed), False
            yield _event("content_block_stop", index=index), False
        told = {"usage": {"output_tokens": script.output_tokens}} if script.usage else {}
        last = {"stop_reason": _stop_reason(script), "stop_sequence": None}
        yield _event("message_delta", delta=last, **told), False
        yield _event("message_stop"), False


def _blocks(script: Script) -> Iterator[tuple[str, dict[str, Any], str, list[str]]]:
    """Kind of the deltas, how the block begins, name of the delta's text, its pieces."""
    if script.thoughts:
        yield "thinking_delta", {"type": "thinking", "thinking": "", "signature": ""}, "thinking", list(script.thoughts)
    if script.pieces:
        yield "text_delta", {"type": "text", "text": ""}, "text", list(script.pieces)
    for call in script.calls:
        begun = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        yield "input_json_delta", begun, "partial_json", list(cut(call.arguments))


def _stop_reason(script: Script) -> str:
    return script.finish or ("tool_use" if script.calls else "end_turn")


def _usage(script: Script) -> dict[str, Any]:
    return {
        "input_tokens": script.input_tokens - script.cached_tokens,
        "cache_read_input_tokens": script.cached_tokens,
        "cache_creation_input_tokens": 0,
        "output_tokens": script.output_tokens,
    }


def _message(asked: Asked, script: Script, content: list[dict[str, Any]]) -> dict[str, Any]:
    model = script.model or asked.document["model"]
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": model}
    return head | {"content": content, "stop_reason": None, "stop_sequence": None}
