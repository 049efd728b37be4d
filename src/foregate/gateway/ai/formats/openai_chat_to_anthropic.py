"""A client speaks OpenAI's chat completions, the provider Anthropic's messages.

`docs/explanations/ai-translation.md` is the table of what becomes what.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from foregate.gateway.ai import sse
from foregate.gateway.ai.formats import anthropic_messages as anthropic
from foregate.gateway.ai.formats.format import (
    OUTPUT_TOKENS_DEFAULT,
    Asked,
    BadRequest,
    Document,
    Format,
    Malformed,
    Stream,
    Whole,
)
from foregate.gateway.ai.formats.openai import DONE, usage_document
from foregate.gateway.ai.formats.reading import (
    chosen,
    object_at,
    only,
    parts_at,
    text_at,
    texts_at,
    words,
    write_json,
    write_request,
)
from foregate.gateway.ai.formats.watch import CALLS_MAX, Translated, Translator, Watch

_VENDOR = "Anthropic"
_KNOWN = words(
    "model messages max_tokens max_completion_tokens temperature top_p stop stream stream_options tools tool_choice"
    " parallel_tool_calls response_format reasoning_effort user safety_identifier"
    " prompt_cache_key prompt_cache_retention"  # hints, which change no answer
)
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "modalities": (["text"],),
    "store": (False,),
    "metadata": ({},),
    "service_tier": ("auto", "default"),
    "verbosity": ("medium",),
}
_OF_ASSISTANT = words("role content tool_calls refusal annotations reasoning_content reasoning")
_OF_OTHERS = words("role content")
_OF_TOOL = words("role content tool_call_id")
_DATA_URL = re.compile(r"data:([a-z]+/[a-z0-9.+-]+);base64,", re.IGNORECASE)
_EFFORT = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
_CHOICE = {"auto": "auto", "none": "none", "required": "any"}
FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class OpenAIChatToAnthropic:
    def __init__(self, client: Format, provider: Format) -> None:
        self.client = client
        self.provider = provider

    def request(
        self,
        asked: Asked,
        model: str,
        output_tokens_default: int = OUTPUT_TOKENS_DEFAULT,
        compatible: bool = False,
    ) -> bytes:
        said = asked.document
        only(said, _KNOWN, _NEUTRAL, _VENDOR)
        system, messages = _messages(said["messages"])
        output: Document = {
            "model": model,
            "max_tokens": asked.output_tokens_max or output_tokens_default,
            "messages": messages,
        }
        if system:
            output["system"] = system
        if asked.stream:
            output["stream"] = True
        _sampling(said, output)
        _tools(said, output)
        _shape(said, output)
        user = said.get("safety_identifier") or said.get("user")
        if user:
            output["metadata"] = {"user_id": text_at(user, "user")}
        return write_request(output)

    def answer(self, body: bytes, asked: Asked) -> Whole:
        message = anthropic.read_message(body)
        whole = anthropic.message_whole(message, body, asked)
        choice = {
            "index": 0,
            "message": _message(message),
            "logprobs": None,
            "finish_reason": FINISH.get(message.stop_reason or "", "stop"),
        }
        answer = {
            "id": message.id or "",
            "object": "chat.completion",
            "created": asked.created,
            "model": message.model or "",
            "choices": [choice],
            "usage": usage_document(whole.usage),
        }
        return whole._replace(body=write_json(answer))

    def stream(self, asked: Asked) -> Stream:
        watch = anthropic.MessagesWatch(asked)
        return Translated(watch, self.client, _ToChunks(asked, watch))


# --- the request -------------------------------------------------------------------------------------------------


def _messages(said: list[Any]) -> tuple[list[Document], list[Document]]:
    """The system prompt, which has a place of its own, and the turns: neighbours of the same role become one."""
    system: list[Document] = []
    turns: list[Document] = []
    for number, message in enumerate(said):
        at = f"messages[{number}]"
        message = object_at(message, at)
        role = message.get("role")
        if role in ("system", "developer"):
            only(message, _OF_OTHERS, {}, _VENDOR, at)
            system += [_text(part, place) for place, part in parts_at(message.get("content"), f"{at}.content")]
            continue
        if role == "user":
            only(message, _OF_OTHERS, {}, _VENDOR, at)
            blocks = [_block(part, place) for place, part in parts_at(message.get("content"), f"{at}.content")]
        elif role == "assistant":
            blocks = _assistant(message, at)
        elif role == "tool":
            blocks = [_tool_result(message, at)]
        else:
            raise BadRequest(f"`{at}.role` must be system, developer, user, assistant or tool.", f"{at}.role")
        role = "assistant" if role == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    return system, turns


def _text(part: Document, at: str) -> Document:
    if part.get("type") != "text":
        raise BadRequest(f"`{at}` must be text here.", at)
    return {"type": "text", "text": text_at(part.get("text"), f"{at}.text")}


def _block(part: Document, at: str) -> Document:
    """A part of a user's message."""
    kind = part.get("type")
    if kind == "image_url":
        url = text_at(object_at(part.get("image_url"), f"{at}.image_url").get("url"), f"{at}.image_url.url")
        return {"type": "image", "source": _source(url, f"{at}.image_url.url")}
    if kind == "file":
        file = object_at(part.get("file"), f"{at}.file")
        only(file, words("file_data filename"), {}, _VENDOR, f"{at}.file")
        url = text_at(file.get("file_data"), f"{at}.file.file_data")
        return {"type": "document", "source": _source(url, f"{at}.file.file_data")}
    if kind == "text":
        return _text(part, at)
    raise BadRequest(f"`{at}` of type {kind!r} cannot be translated for {_VENDOR}.", at)


def _source(url: str, at: str) -> Document:
    """An address, or the bytes themselves in a data URL."""
    if url.startswith(("https://", "http://")):
        return {"type": "url", "url": url}
    begun = _DATA_URL.match(url)
    if begun is None:
        raise BadRequest(f"`{at}` must be an http(s) address or a base64 data URL.", at)
    return {"type": "base64", "media_type": begun[1].lower(), "data": url[begun.end() :]}


def _assistant(message: Document, at: str) -> list[Document]:
    """Its reasoning is left out: Anthropic takes back only thinking that it has signed."""
    only(message, _OF_ASSISTANT, {}, _VENDOR, at)
    blocks: list[Document] = []
    for place, part in parts_at(message.get("content"), f"{at}.content"):
        if part.get("type") == "refusal":
            part = {"type": "text", "text": part.get("refusal")}
        blocks.append(_text(part, place))
    if message.get("refusal"):
        blocks.append({"type": "text", "text": text_at(message["refusal"], f"{at}.refusal")})
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise BadRequest(f"`{at}.tool_calls` must be a list.", f"{at}.tool_calls")
    return blocks + [_tool_use(call, f"{at}.tool_calls[{number}]") for number, call in enumerate(calls)]


def _tool_use(call: Any, at: str) -> Document:
    call = object_at(call, at)
    function = object_at(call.get("function"), f"{at}.function")
    arguments = text_at(function.get("arguments"), f"{at}.function.arguments")
    try:
        given = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise BadRequest(f"`{at}.function.arguments` must be a JSON object.", f"{at}.function.arguments")
    name = text_at(function.get("name"), f"{at}.function.name")
    return {"type": "tool_use", "id": text_at(call.get("id"), f"{at}.id"), "name": name, "input": given}


def _tool_result(message: Document, at: str) -> Document:
    only(message, _OF_TOOL, {}, _VENDOR, at)
    content = [_text(part, place) for place, part in parts_at(message.get("content"), f"{at}.content")]
    call = text_at(message.get("tool_call_id"), f"{at}.tool_call_id")
    return {"type": "tool_result", "tool_use_id": call, "content": content}


def _sampling(said: Document, output: Document) -> None:
    temperature = said.get("temperature")
    if temperature is not None:
        if not isinstance(temperature, int | float) or not 0 <= temperature <= 1:
            raise BadRequest("`temperature` must be between 0 and 1 for Anthropic.", "temperature")
        output["temperature"] = temperature
    if said.get("top_p") is not None:
        output["top_p"] = said["top_p"]
    stop = said.get("stop")
    if stop:
        output["stop_sequences"] = texts_at(stop, "stop")


def _tools(said: Document, output: Document) -> None:
    tools = said.get("tools") or []
    if not isinstance(tools, list):
        raise BadRequest("`tools` must be a list.", "tools")
    if not tools:
        return
    output["tools"] = [_tool(tool, f"tools[{number}]") for number, tool in enumerate(tools)]
    choice = _tool_choice(said.get("tool_choice"))
    if said.get("parallel_tool_calls") is False and choice.get("type") != "none":
        choice = (choice or {"type": "auto"}) | {"disable_parallel_tool_use": True}
    if choice:
        output["tool_choice"] = choice


def _tool_choice(choice: Any) -> Document:
    if choice is None:
        return {}
    if isinstance(choice, dict) and choice.get("type") == "function":
        named = object_at(choice.get("function"), "tool_choice.function")
        return {"type": "tool", "name": text_at(named.get("name"), "tool_choice.function.name")}
    return {"type": chosen(choice, _CHOICE, "tool_choice", _VENDOR)}


def _tool(tool: Any, at: str) -> Document:
    tool = object_at(tool, at)
    if tool.get("type") != "function":
        raise BadRequest(f"`{at}` of type {tool.get('type')!r} cannot be translated for {_VENDOR}.", at)
    function = object_at(tool.get("function"), f"{at}.function")
    only(function, words("name description parameters strict"), {}, _VENDOR, f"{at}.function")
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    taken = {"name": text_at(function.get("name"), f"{at}.function.name"), "input_schema": schema}
    if function.get("description"):
        taken["description"] = function["description"]
    if function.get("strict"):
        taken["strict"] = True
    return taken


def _shape(said: Document, output: Document) -> None:
    """The answer's format, and how hard to think about it."""
    config: Document = {}
    effort = said.get("reasoning_effort")
    if effort == "none":
        output["thinking"] = {"type": "disabled"}
    elif effort is not None:
        config["effort"] = chosen(effort, _EFFORT, "reasoning_effort", _VENDOR)
    wanted = said.get("response_format")
    if wanted is not None:
        kind = object_at(wanted, "response_format").get("type")
        if kind == "json_schema":
            schema = object_at(wanted.get("json_schema"), "response_format.json_schema").get("schema")
            at = "response_format.json_schema.schema"
            config["format"] = {"type": "json_schema", "schema": object_at(schema, at)}
        elif kind != "text":
            raise BadRequest("Anthropic has no `response_format` but text and json_schema.", "response_format")
    if config:
        output["output_config"] = config


# --- the answer --------------------------------------------------------------------------------------------------


def _message(message: anthropic.Message) -> Document:
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[Document] = []
    for block in message.content or ():
        if block.type == "text":
            texts.append(block.text or "")
        elif block.type == "thinking":
            thoughts.append(block.thinking or "")
        elif block.type == "tool_use":
            function = {"name": block.name or "", "arguments": write_json(block.input or {}).decode()}
            calls.append({"id": block.id or "", "type": "function", "function": function})
        elif block.type != "redacted_thinking":
            raise Malformed(f"the provider sent a block of type {block.type!r}, which cannot be translated")
    output: Document = {"role": "assistant", "content": "".join(texts) if texts else None, "refusal": None}
    if thoughts:
        output["reasoning_content"] = "".join(thoughts)
    if calls:
        output["tool_calls"] = calls
    return output


class _ToChunks(Translator):
    """Anthropic numbers blocks of all kinds, OpenAI only tool calls: `_calls` says which call a block is."""

    def __init__(self, asked: Asked, watch: Watch) -> None:
        self._asked = asked
        self._watch = watch
        self._head: Document = {}
        self._calls: dict[int, int] = {}
        self._inputs: dict[int, Any] = {}  # of tool calls whose arguments have not come in pieces

    def feed(self, read: anthropic.MessageEvent) -> list[bytes]:
        kind, index = read.type, read.index
        if kind == "content_block_delta" and read.delta is not None:
            return self._delta(read.delta, index)
        if kind == "content_block_start" and read.content_block is not None:
            return self._block(read.content_block, index)
        if kind == "content_block_stop" and index in self._inputs:
            arguments = write_json(self._inputs.pop(index) or {}).decode()
            return self._call(index, {"function": {"arguments": arguments}})
        if kind == "message_start" and read.message is not None:
            self._begin(read.message)
            return self._chunk({"role": "assistant", "content": "", "refusal": None})
        return []

    def end(self) -> list[bytes]:
        out = self._chunk({}, FINISH.get(self._watch.finish_reason, "stop"))
        if self._asked.usage_wanted:
            usage = usage_document(self._watch.usage())
            out.append(sse.write(write_json(self._head | {"choices": [], "usage": usage})))
        return [*out, DONE]

    def _begin(self, message: anthropic.Message) -> None:
        self._head = {
            "id": message.id or "",
            "object": "chat.completion.chunk",
            "created": self._asked.created,
            "model": message.model or "",
        }

    def _block(self, block: anthropic.Block, index: int) -> list[bytes]:
        if block.type == "tool_use" and len(self._calls) < CALLS_MAX:
            self._calls[index] = len(self._calls)
            self._inputs[index] = block.input
            function = {"name": block.name or "", "arguments": ""}
            return self._call(index, {"id": block.id or "", "type": "function", "function": function})
        if block.type == "text":
            return self._chunk({"content": block.text}) if block.text else []
        if block.type == "thinking":
            return self._chunk({"reasoning_content": block.thinking}) if block.thinking else []
        if block.type != "redacted_thinking":
            self._watch.fail("malformed", f"the provider sent a block of type {block.type!r}, which is not translated")
        return []

    def _delta(self, delta: anthropic.Delta, index: int) -> list[bytes]:
        if delta.text:
            return self._chunk({"content": delta.text})
        if delta.thinking:
            return self._chunk({"reasoning_content": delta.thinking})
        if delta.partial_json and index in self._calls:
            self._inputs.pop(index, None)
            return self._call(index, {"function": {"arguments": delta.partial_json}})
        return []

    def _call(self, index: int, call: Document) -> list[bytes]:
        return self._chunk({"tool_calls": [{"index": self._calls[index]} | call]})

    def _chunk(self, delta: Document, finish: str | None = None) -> list[bytes]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return [sse.write(write_json(self._head | {"choices": [choice]}))]
