"""A client speaks Anthropic's messages, the provider OpenAI's chat completions.

`docs/explanations/ai-translation.md` is the table of what becomes what.
"""

from __future__ import annotations

from typing import Any

import msgspec

from foregate.gateway.ai import sse
from foregate.gateway.ai.formats import openai_chat as chat
from foregate.gateway.ai.formats.anthropic_messages import usage_document
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
from foregate.gateway.ai.usage import Usage

_VENDOR = "OpenAI"
_KNOWN = words(
    "model messages max_tokens system temperature top_p stop_sequences stream tools tool_choice thinking"
    " output_config metadata cache_control"
)
_NEUTRAL: dict[str, tuple[Any, ...]] = {"service_tier": ("auto",), "speed": ("standard",)}
_OF_TOOL = words("type name description input_schema strict cache_control")
_OF_BLOCK = words("type text source title cache_control")
_NO_CITATIONS: dict[str, tuple[Any, ...]] = {"citations": ([], {"enabled": False})}
_STOPS_MAX = 4
_CHOICE = {"auto": "auto", "any": "required", "none": "none"}
_EFFORT = {effort: effort for effort in ("low", "medium", "high", "xhigh", "max")}
_LITTLE_THOUGHT, _SOME_THOUGHT = 4_096, 16_384  # tokens of a thinking budget: up to them effort is low, medium
_STOP_REASON = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


class AnthropicToOpenAIChat:
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
        output: Document = {"model": model, "messages": _messages(said)}
        output["max_tokens" if compatible else "max_completion_tokens"] = asked.output_tokens_max
        if asked.stream:
            output |= {"stream": True, "stream_options": {"include_usage": True}}
        output |= {name: said[name] for name in ("temperature", "top_p") if said.get(name) is not None}
        stops = said.get("stop_sequences")
        if stops:
            output["stop"] = texts_at(stops, "stop_sequences")
            if len(output["stop"]) > _STOPS_MAX:
                raise BadRequest(f"OpenAI takes at most {_STOPS_MAX} `stop_sequences`.", "stop_sequences")
        _tools(said, output)
        _shape(said, output)
        metadata = object_at(said.get("metadata") or {}, "metadata")
        only(metadata, words("user_id"), {}, _VENDOR, "metadata")
        if metadata.get("user_id"):
            output["user"] = metadata["user_id"]
        return write_request(output)

    def answer(self, body: bytes, asked: Asked) -> Whole:
        read = chat.read_chat(body)
        whole = chat.chat_whole(read, body, asked)
        choice = (read.choices or [chat.Choice()])[0]
        content = _content(choice.message or chat.Message())
        called = any(block["type"] == "tool_use" for block in content)
        reason = _stop_reason(whole.finish_reason, called)
        return whole._replace(body=write_json(_message(read, content, reason, whole.usage)))

    def stream(self, asked: Asked) -> Stream:
        watch = chat.ChatWatch(asked, thoughts=False)
        return Translated(watch, self.client, _ToEvents(watch))


# --- the request -------------------------------------------------------------------------------------------------


def _messages(said: Document) -> list[Document]:
    output: list[Document] = []
    _add(output, "system", [_text(part, at) for at, part in parts_at(said.get("system"), "system")])
    for number, message in enumerate(said["messages"]):
        at = f"messages[{number}]"
        message = object_at(message, at)
        role = message.get("role")
        parts = parts_at(message.get("content"), f"{at}.content")
        if role == "user":
            _user(output, parts)
        elif role == "assistant":
            _assistant(output, parts)
        elif role == "system":
            _add(output, "system", [_text(part, place) for place, part in parts])
        else:
            raise BadRequest(f"`{at}.role` must be user, assistant or system.", f"{at}.role")
    return output


def _add(output: list[Document], role: str, parts: list[Document]) -> None:
    """A message. One text alone goes as a text, which every compatible provider takes."""
    if not parts:
        return
    alone = len(parts) == 1 and parts[0]["type"] == "text"
    output.append({"role": role, "content": parts[0]["text"] if alone else parts})


def _user(output: list[Document], parts: list[tuple[str, Document]]) -> None:
    """Results of tools become messages of their own, before what else the user says."""
    output += [_tool_result(part, at) for at, part in parts if part.get("type") == "tool_result"]
    _add(output, "user", [_part(part, at) for at, part in parts if part.get("type") != "tool_result"])


def _assistant(output: list[Document], parts: list[tuple[str, Document]]) -> None:
    """Thinking is left out: OpenAI takes none back."""
    texts: list[Document] = []
    calls: list[Document] = []
    for at, part in parts:
        kind = part.get("type")
        if kind == "tool_use":
            function = {"name": part.get("name"), "arguments": write_json(part.get("input") or {}).decode()}
            calls.append({"id": part.get("id"), "type": "function", "function": function})
        elif kind not in ("thinking", "redacted_thinking"):
            texts.append(_text(part, at))
    before = len(output)
    _add(output, "assistant", texts)
    if calls:
        if len(output) == before:
            output.append({"role": "assistant", "content": None})
        output[-1]["tool_calls"] = calls


def _text(part: Document, at: str) -> Document:
    if part.get("type") != "text":
        raise BadRequest(f"`{at}` of type {part.get('type')!r} cannot be translated for {_VENDOR}.", at)
    only(part, _OF_BLOCK, _NO_CITATIONS, _VENDOR, at)
    return {"type": "text", "text": text_at(part.get("text"), f"{at}.text")}


def _part(part: Document, at: str) -> Document:
    kind = part.get("type")
    if kind not in ("image", "document"):
        return _text(part, at)
    only(part, _OF_BLOCK, _NO_CITATIONS, _VENDOR, at)
    source = object_at(part.get("source"), f"{at}.source")
    form = source.get("type")
    if form == "base64":
        url = f"data:{source.get('media_type')};base64,{source.get('data')}"
    elif form == "url" and kind == "image":
        url = text_at(source.get("url"), f"{at}.source.url")
    elif form == "text" and kind == "document":
        return {"type": "text", "text": text_at(source.get("data"), f"{at}.source.data")}
    else:
        raise BadRequest(f"`{at}.source` of type {form!r} cannot be translated for {_VENDOR}.", f"{at}.source")
    if kind == "image":
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"filename": part.get("title") or "document.pdf", "file_data": url}}


def _tool_result(part: Document, at: str) -> Document:
    """OpenAI has no mark for a failed tool: the text says it."""
    known = words("type tool_use_id content is_error cache_control")
    only(part, known, {}, _VENDOR, at)
    texts = [_text(each, place)["text"] for place, each in parts_at(part.get("content"), f"{at}.content")]
    content = ("Error: " if part.get("is_error") else "") + "\n".join(texts)
    return {"role": "tool", "tool_call_id": text_at(part.get("tool_use_id"), f"{at}.tool_use_id"), "content": content}


def _tools(said: Document, output: Document) -> None:
    tools = said.get("tools") or []
    if not isinstance(tools, list):
        raise BadRequest("`tools` must be a list.", "tools")
    if not tools:
        return
    output["tools"] = [_tool(tool, f"tools[{number}]") for number, tool in enumerate(tools)]
    choice = object_at(said.get("tool_choice") or {"type": "auto"}, "tool_choice")
    if choice.get("type") == "tool":
        output["tool_choice"] = {
            "type": "function",
            "function": {"name": text_at(choice.get("name"), "tool_choice.name")},
        }
    else:
        output["tool_choice"] = chosen(choice.get("type"), _CHOICE, "tool_choice.type", _VENDOR)
    if choice.get("disable_parallel_tool_use"):
        output["parallel_tool_calls"] = False


def _tool(tool: Any, at: str) -> Document:
    tool = object_at(tool, at)
    if tool.get("type") not in (None, "custom"):
        raise BadRequest(f"`{at}` of type {tool['type']!r} cannot be translated for {_VENDOR}.", at)
    only(tool, _OF_TOOL, {}, _VENDOR, at)
    schema = object_at(tool.get("input_schema"), f"{at}.input_schema")
    function = {"name": text_at(tool.get("name"), f"{at}.name"), "parameters": schema}
    function |= {name: tool[name] for name in ("description", "strict") if tool.get(name)}
    return {"type": "function", "function": function}


def _shape(said: Document, output: Document) -> None:
    """The answer's format, and how hard to think about it."""
    config = object_at(said.get("output_config") or {}, "output_config")
    only(config, words("effort format"), {}, _VENDOR, "output_config")
    effort = config.get("effort")
    thinking = object_at(said.get("thinking") or {}, "thinking")
    budget = thinking.get("budget_tokens")
    if effort is None and thinking.get("type") == "enabled" and isinstance(budget, int):
        effort = "low" if budget <= _LITTLE_THOUGHT else "medium" if budget <= _SOME_THOUGHT else "high"
    if effort is not None:
        output["reasoning_effort"] = chosen(effort, _EFFORT, "output_config.effort", _VENDOR)
    wanted = config.get("format")
    if wanted is not None:
        schema = object_at(object_at(wanted, "output_config.format").get("schema"), "output_config.format.schema")
        named = {"name": "answer", "schema": schema, "strict": True}
        output["response_format"] = {"type": "json_schema", "json_schema": named}


# --- the answer --------------------------------------------------------------------------------------------------


def _stop_reason(finish: str, called: bool) -> str:
    """Some compatible providers end with "stop" though tools are to be called."""
    return "tool_use" if called and finish == "stop" else _STOP_REASON.get(finish, "end_turn")


def _content(message: chat.Message) -> list[Document]:
    """Reasoning is left out: as a block of thinking it would need Anthropic's signature."""
    texts = [text for text in (message.text, message.refusal) if text]
    content: list[Document] = [{"type": "text", "text": text} for text in texts]
    for number, call in enumerate(message.tool_calls or ()):
        function = call.function or chat.Function()
        content.append(
            {
                "type": "tool_use",
                "id": call.id or f"call_{number}",
                "name": function.name or "",
                "input": _arguments(function.arguments or "{}"),
            }
        )
    return content


def _arguments(text: str) -> Document:
    try:
        given = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise Malformed("the provider's tool call has arguments that are no JSON object")
    return given


def _message(read: chat.Chat, content: list[Document], reason: str | None, usage: Usage) -> Document:
    return {
        "id": read.id or "",
        "type": "message",
        "role": "assistant",
        "model": read.model or "",
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": usage_document(usage),
    }


class _ToEvents(Translator):
    """Blocks are numbered as they begin. Tool calls stay open to the end: their arguments may come interleaved."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._begun = False
        self._blocks = 0
        self._text = -1  # the open block of text
        self._calls: dict[int, tuple[int, str]] = {}  # the provider's number of a call → block and id
        self._open: list[int] = []  # blocks of tool calls

    def feed(self, read: chat.Chat) -> list[bytes]:
        out: list[bytes] = []
        if not self._begun:
            self._begun = True
            out.append(_event("message_start", message=_message(read, [], None, Usage())))
        for choice in read.choices or ():
            if choice.delta is None or choice.index:
                continue  # one answer was asked for
            text = choice.delta.text + (choice.delta.refusal or "")
            if text:
                out += self._say(text)
            for call in choice.delta.tool_calls or ():
                out += self._call(call)
        return out

    def end(self) -> list[bytes]:
        out = self._close_text()
        out += [_event("content_block_stop", index=block) for block in self._open]
        reason = _stop_reason(self._watch.finish_reason, bool(self._calls))
        delta = {"stop_reason": reason, "stop_sequence": None}
        out.append(_event("message_delta", delta=delta, usage=usage_document(self._watch.usage())))
        return [*out, _event("message_stop")]

    def _say(self, text: str) -> list[bytes]:
        out: list[bytes] = []
        if self._text < 0:
            self._text = self._number()
            out.append(_event("content_block_start", index=self._text, content_block={"type": "text", "text": ""}))
        return [*out, _event("content_block_delta", index=self._text, delta={"type": "text_delta", "text": text})]

    def _close_text(self) -> list[bytes]:
        if self._text < 0:
            return []
        closed, self._text = self._text, -1
        return [_event("content_block_stop", index=closed)]

    def _call(self, call: chat.ToolCall) -> list[bytes]:
        function = call.function or chat.Function()
        number = call.index or 0
        known = self._calls.get(number)
        out: list[bytes] = []
        if known is None or (call.id and call.id != known[1]):  # some providers number every call 0
            out = self._close_text()
            block = self._number()
            known = self._calls[number] = (block, call.id or f"call_{block}")
            self._open.append(block)
            if not function.name or block > CALLS_MAX:
                self._watch.fail("malformed", "the provider sent a tool call without a name, or more than are carried")
                return []
            begun = {"type": "tool_use", "id": known[1], "name": function.name, "input": {}}
            out.append(_event("content_block_start", index=block, content_block=begun))
        if function.arguments:
            delta = {"type": "input_json_delta", "partial_json": function.arguments}
            out.append(_event("content_block_delta", index=known[0], delta=delta))
        return out

    def _number(self) -> int:
        self._blocks += 1
        return self._blocks - 1


def _event(kind: str, **more: Any) -> bytes:
    return sse.write(write_json({"type": kind} | more), kind.encode())
