"""A fake provider in OpenAI's language: chat completions, completions, embeddings, responses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from foregate.lab.providers.script import Asked, FakeProvider, Script, cut, write_json

_CREATED = 1_700_000_000
_DONE = b"data: [DONE]\n\n"


def _data(document: dict[str, Any]) -> bytes:
    return b"data: " + write_json(document) + b"\n\n"


class FakeOpenAI(FakeProvider):
    def error(self, script: Script) -> bytes:
        kind = "rate_limit_error" if script.status == 429 else "server_error"
        kind = "invalid_request_error" if script.status == 400 else kind
        return write_json({"error": {"message": script.error, "type": kind, "param": None, "code": "fake"}})

    def error_event(self, script: Script) -> bytes:
        return b"data: " + self.error(script) + b"\n\n"

    def whole(self, asked: Asked, script: Script) -> bytes:
        if asked.path.endswith("/embeddings"):
            return write_json(_embeddings(asked, script))
        if asked.path.endswith("/responses"):
            return write_json(_response(asked, script, "completed"))
        if asked.path.endswith("/chat/completions"):
            return write_json(_chat(asked, script))
        text = "".join(script.pieces)
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": script.finish or "stop"}
        answer = _head("cmpl-1", "text_completion", asked, script) | {"choices": [choice]}
        return write_json(answer | _usage(script))

    def events(self, asked: Asked, script: Script) -> Iterator[tuple[bytes, bool]]:
        if asked.path.endswith("/responses"):
            return _response_events(asked, script)
        if asked.path.endswith("/chat/completions"):
            return _chat_events(asked, script)
        return _completion_events(asked, script)


def _head(number: str, kind: str, asked: Asked, script: Script) -> dict[str, Any]:
    return {"id": number, "object": kind, "created": _CREATED, "model": script.model or asked.document["model"]}


def _usage(script: Script) -> dict[str, Any]:
    if not script.usage:
        return {}
    told: dict[str, Any] = {
        "prompt_tokens": script.input_tokens,
        "completion_tokens": script.output_tokens,
        "total_tokens": script.input_tokens + script.output_tokens,
        "prompt_tokens_details": {"cached_tokens": script.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": len(script.thoughts)},
    }
    return {"usage": told}


def _finish(script: Script) -> str:
    return script.finish or ("tool_calls" if script.calls else "stop")


def _chat(asked: Asked, script: Script) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(script.pieces) or None, "refusal": None}
    if script.thoughts:
        message["reasoning_content"] = "".join(script.thoughts)
    if script.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in script.calls
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(script)}
    return _head("chatcmpl-1", "chat.completion", asked, script) | {"choices": [choice]} | _usage(script)


def _chat_events(asked: Asked, script: Script) -> Iterator[tuple[bytes, bool]]:
    head = _head("chatcmpl-1", "chat.completion.chunk", asked, script)

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _data(head | {"choices": [choice]} | ({"usage": None} if wants_usage else {}))

    wants_usage = bool((asked.document.get("stream_options") or {}).get("include_usage"))
    yield chunk({"role": "assistant", "content": "", "refusal": None}), False
    for thought in script.thoughts:
        yield chunk({"reasoning_content": thought}), True
    for piece in script.pieces:
        yield chunk({"content": piece}), True
    for index, call in enumerate(script.calls):
        begun = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield chunk({"tool_calls": [begun]}), False
        for part in cut(call.arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]}), True
    yield chunk({}, _finish(script)), False
    if wants_usage and script.usage:
        yield _data(head | {"choices": []} | _usage(script)), False
    yield _DONE, False


def _completion_events(asked: Asked, script: Script) -> Iterator[tuple[bytes, bool]]:
    head = _head("cmpl-1", "text_completion", asked, script)
    for piece in script.pieces:
        yield _data(head | {"choices": [{"index": 0, "text": piece, "logprobs": None, "finish_reason": None}]}), True
    last = {"index": 0, "text": "", "logprobs": None, "finish_reason": script.finish or "stop"}
    yield _data(head | {"choices": [last]}), False
    if script.usage and (asked.document.get("stream_options") or {}).get("include_usage"):
        yield _data(head | {"choices": []} | _usage(script)), False
    yield _DONE, False


def _embeddings(asked: Asked, script: Script) -> dict[str, Any]:
    given = asked.document["input"]
    inputs = given if isinstance(given, list) else [given]
    data = [{"object": "embedding", "index": n, "embedding": [0.25, -0.5, float(n)]} for n in range(len(inputs))]
    usage = {"prompt_tokens": script.input_tokens, "total_tokens": script.input_tokens}
    told = {"usage": usage} if script.usage else {}
    return {"object": "list", "data": data, "model": script.model or asked.document["model"]} | told


def _response(asked: Asked, script: Script, status: str, text: str | None = None) -> dict[str, Any]:
    output: list[dict[str, Any]] = []
    said = "".join(script.pieces) if text is None else text
    if status == "completed":
        content = [{"type": "output_text", "text": said, "annotations": []}]
        message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}
        output.append(message)
        for number, call in enumerate(script.calls):
            item = {"id": f"fc_{number}", "type": "function_call", "status": "completed", "call_id": call.id}
            output.append(item | {"name": call.name, "arguments": call.arguments})
    usage = None
    if status == "completed" and script.usage:
        usage = {
            "input_tokens": script.input_tokens,
            "input_tokens_details": {"cached_tokens": script.cached_tokens, "cache_write_tokens": 0},
            "output_tokens": script.output_tokens,
            "output_tokens_details": {"reasoning_tokens": len(script.thoughts)},
            "total_tokens": script.input_tokens + script.output_tokens,
        }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": _CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": script.model or asked.document["model"],
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": usage,
    }


def _response_events(asked: Asked, script: Script) -> Iterator[tuple[bytes, bool]]:
    number = -1

    def event(kind: str, **more: Any) -> bytes:
        nonlocal number
        number += 1
        body = msgspec.json.encode({"type": kind, "sequence_number": number} | more)
        return b"event: " + kind.encode() + b"\ndata: " + body + b"\n\n"

    place = {"item_id": "msg_1", "output_index": 0}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    yield event("response.created", response=_response(asked, script, "in_progress")), False
    yield event("response.output_item.added", output_index=0, item=item), False
    part = {"type": "output_text", "text": "", "annotations": []}
    yield event("response.content_part.added", **place, content_index=0, part=part), False
    for piece in script.pieces:
        yield event("response.output_text.delta", **place, content_index=0, delta=piece, logprobs=[]), True
    text = "".join(script.pieces)
    yield event("response.output_text.done", **place, content_index=0, text=text, logprobs=[]), False
    for index, call in enumerate(script.calls, 1):
        called = {"item_id": f"fc_{index - 1}", "output_index": index}
        begun = {"id": f"fc_{index - 1}", "type": "function_call", "call_id": call.id, "name": call.name}
        added = begun | {"arguments": "", "status": "in_progress"}
        yield event("response.output_item.added", output_index=index, item=added), False
        for piece in cut(call.arguments):
            yield event("response.function_call_arguments.delta", **called, delta=piece), True
        done = begun | {"arguments": call.arguments, "status": "completed"}
        yield event("response.output_item.done", output_index=index, item=done), False
    yield event("response.completed", response=_response(asked, script, "completed")), False
