"""A client speaks OpenAI's responses, the provider chat completions, as most compatible providers do.

Nothing is remembered for later: what refers to earlier responses is refused. `docs/explanations/ai-translation.md` is
the table of what becomes what.
"""

from __future__ import annotations

from typing import Any

from foregate.gateway.ai import sse
from foregate.gateway.ai.formats import openai_chat as chat
from foregate.gateway.ai.formats.format import OUTPUT_TOKENS_DEFAULT, Asked, BadRequest, Document, Format, Stream, Whole
from foregate.gateway.ai.formats.reading import (
    object_at,
    only,
    parts_at,
    text_at,
    words,
    write_json,
    write_request,
)
from foregate.gateway.ai.formats.watch import (
    CALLS_MAX,
    HELD_CHARS_MAX,
    Translated,
    Translator,
    Watch,
)
from foregate.gateway.ai.usage import Usage

_VENDOR = "chat completions"
_KNOWN = words(
    "model input instructions max_output_tokens temperature top_p stream stream_options tools tool_choice"
    " parallel_tool_calls text reasoning user safety_identifier prompt_cache_key prompt_cache_retention"
)
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "store": (False,),
    "background": (False,),
    "include": ([], ["reasoning.encrypted_content"]),  # there is no reasoning in the answer
    "metadata": ({},),
    "truncation": ("disabled",),
    "service_tier": ("auto", "default"),
    "top_logprobs": (0,),
}
_OF_MESSAGE = words("type role content id status phase")
_SAME = words("temperature top_p parallel_tool_calls user safety_identifier prompt_cache_key prompt_cache_retention")
_ECHOED = ("instructions", "max_output_tokens", "temperature", "top_p", "reasoning", "text", "user")
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


class OpenAIResponsesToChat:
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
        if asked.output_tokens_max is not None:
            output["max_tokens" if compatible else "max_completion_tokens"] = asked.output_tokens_max
        if asked.stream:
            output |= {"stream": True, "stream_options": {"include_usage": True}}
        output |= {name: said[name] for name in sorted(_SAME) if said.get(name) is not None}
        _tools(said, output)
        _shape(said, output)
        return write_request(output)

    def answer(self, body: bytes, asked: Asked) -> Whole:
        read = chat.read_chat(body)
        whole = chat.chat_whole(read, body, asked)
        message = (read.choices or [chat.Choice()])[0].message or chat.Message()
        number = read.id or ""
        text = message.text or message.refusal or ""
        output = [_text_item(number, text)] if text else []
        for place, call in enumerate(message.tool_calls or ()):
            function = call.function or chat.Function()
            name, arguments = function.name or "", function.arguments or "{}"
            output.append(_call_item(place, call.id or f"call_{place}", name, arguments))
        response = _response(asked, read, output, whole.finish_reason, whole.usage)
        return whole._replace(body=write_json(response))

    def stream(self, asked: Asked) -> Stream:
        watch = chat.ChatWatch(asked, thoughts=False)
        return Translated(watch, self.client, _ToEvents(asked, watch))


# --- the request -------------------------------------------------------------------------------------------------


def _messages(said: Document) -> list[Document]:
    output: list[Document] = []
    if said.get("instructions"):
        output.append({"role": "system", "content": text_at(said["instructions"], "instructions")})
    given = said.get("input")
    if isinstance(given, str):
        return [*output, {"role": "user", "content": given}]
    for number, item in enumerate(given or ()):
        at = f"input[{number}]"
        _item(object_at(item, at), at, output)
    if not output:
        raise BadRequest("`input` must say something.", "input")
    return output


def _item(item: Document, at: str, output: list[Document]) -> None:
    kind = item.get("type") or "message"
    if kind == "message":
        only(item, _OF_MESSAGE, {}, _VENDOR, at)
        role = item.get("role")
        if role not in ("user", "assistant", "system", "developer"):
            raise BadRequest(f"`{at}.role` must be user, assistant, system or developer.", f"{at}.role")
        parts = [_part(part, place) for place, part in parts_at(item.get("content"), f"{at}.content")]
        alone = len(parts) == 1 and parts[0]["type"] == "text"
        output.append(
            {"role": "system" if role == "developer" else role, "content": parts[0]["text"] if alone else parts}
        )
    elif kind == "function_call":
        function = {"name": text_at(item.get("name"), f"{at}.name")}
        function["arguments"] = text_at(item.get("arguments"), f"{at}.arguments")
        if not output or output[-1]["role"] != "assistant":
            output.append({"role": "assistant", "content": None})
        call = {"id": text_at(item.get("call_id"), f"{at}.call_id"), "type": "function", "function": function}
        output[-1].setdefault("tool_calls", []).append(call)
    elif kind == "function_call_output":
        parts = [_part(part, place) for place, part in parts_at(item.get("output"), f"{at}.output")]
        if any(part["type"] != "text" for part in parts):
            raise BadRequest(f"`{at}.output` must be text for {_VENDOR}.", f"{at}.output")
        text = "\n".join(part["text"] for part in parts)
        output.append({"role": "tool", "tool_call_id": text_at(item.get("call_id"), f"{at}.call_id"), "content": text})
    elif kind != "reasoning":  # which no provider of chat completions takes back
        raise BadRequest(f"`{at}` of type {kind!r} cannot be translated for {_VENDOR}.", at)


def _part(part: Document, at: str) -> Document:
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text"):
        return {"type": "text", "text": text_at(part.get("text"), f"{at}.text")}
    if kind == "refusal":
        return {"type": "text", "text": text_at(part.get("refusal"), f"{at}.refusal")}
    if kind == "input_image":
        picture = {"url": text_at(part.get("image_url"), f"{at}.image_url")}
        if part.get("detail"):
            picture["detail"] = part["detail"]
        return {"type": "image_url", "image_url": picture}
    if kind == "input_file":
        file = {"file_data": text_at(part.get("file_data"), f"{at}.file_data")}
        return {"type": "file", "file": file | {"filename": part.get("filename") or "file"}}
    raise BadRequest(f"`{at}` of type {kind!r} cannot be translated for {_VENDOR}.", at)


def _tools(said: Document, output: Document) -> None:
    tools = said.get("tools") or []
    if not isinstance(tools, list):
        raise BadRequest("`tools` must be a list.", "tools")
    if not tools:
        return
    output["tools"] = []
    for number, tool in enumerate(tools):
        at = f"tools[{number}]"
        tool = object_at(tool, at)
        if tool.get("type") != "function":
            raise BadRequest(f"`{at}` of type {tool.get('type')!r} cannot be translated for {_VENDOR}.", at)
        only(tool, words("type name description parameters strict"), {}, _VENDOR, at)
        function = {name: value for name, value in tool.items() if name != "type" and value is not None}
        output["tools"].append({"type": "function", "function": function})
    choice = said.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "function":
        output["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
    elif isinstance(choice, str):
        output["tool_choice"] = choice
    elif choice is not None:
        raise BadRequest(f"`tool_choice` of this kind cannot be translated for {_VENDOR}.", "tool_choice")


def _shape(said: Document, output: Document) -> None:
    """The answer's format, and how hard to think about it."""
    reasoning = object_at(said.get("reasoning") or {}, "reasoning")
    only(reasoning, words("effort summary generate_summary"), {}, _VENDOR, "reasoning")
    if reasoning.get("effort") is not None:
        output["reasoning_effort"] = reasoning["effort"]
    text = object_at(said.get("text") or {}, "text")
    only(text, words("format verbosity"), {}, _VENDOR, "text")
    if text.get("verbosity") is not None:
        output["verbosity"] = text["verbosity"]
    wanted = object_at(text.get("format") or {}, "text.format")
    if wanted.get("type") == "json_schema":
        schema = {name: value for name, value in wanted.items() if name != "type"}
        output["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif wanted.get("type") == "json_object":
        output["response_format"] = {"type": "json_object"}


# --- the answer --------------------------------------------------------------------------------------------------


def _text_item(number: str, text: str, status: str = "completed") -> Document:
    content = [_text_part(text)] if status == "completed" else []
    return {"id": f"msg_{number}", "type": "message", "role": "assistant", "status": status, "content": content}


def _text_part(text: str) -> Document:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _call_item(place: int, call: str, name: str, arguments: str, status: str = "completed") -> Document:
    item = {"id": f"fc_{place}", "type": "function_call", "call_id": call, "name": name}
    return item | {"arguments": arguments, "status": status}


def _response(
    asked: Asked, read: chat.Chat, output: list[Document], finish: str | None, usage: Usage | None
) -> Document:
    """`finish` is None as long as it has not."""
    said = asked.document
    reason = _INCOMPLETE.get(finish or "")
    status = "in_progress" if finish is None else "incomplete" if reason else "completed"
    told = usage and {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_written},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }
    head = {
        "id": f"resp_{read.id or ''}",
        "object": "response",
        "created_at": asked.created,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "model": read.model or "",
        "output": output,
        "parallel_tool_calls": said.get("parallel_tool_calls") is not False,
        "tool_choice": said.get("tool_choice") or "auto",
        "tools": said.get("tools") or [],
        "metadata": {},
        "store": False,
        "usage": told,
    }
    return head | {name: said.get(name) for name in _ECHOED}


class _ToEvents(Translator):
    """Items in the order in which they begin; calls stay open to the end, their arguments may come interleaved."""

    def __init__(self, asked: Asked, watch: Watch) -> None:
        self._asked = asked
        self._watch = watch
        self._first: chat.Chat | None = None
        self._sequence = -1
        self._items: list[Document] = []
        self._text: list[str] = []
        self._text_at = -1  # which item the open text is
        self._calls: dict[int, tuple[int, list[str]]] = {}  # the provider's number of a call → item, its arguments
        self._held_chars = 0
        self._open: list[tuple[int, list[str]]] = []

    def feed(self, read: chat.Chat) -> list[bytes]:
        out: list[bytes] = []
        if self._first is None:
            self._first = read
            begun = _response(self._asked, read, [], None, None)
            out = [self._event("response.created", response=begun), self._event("response.in_progress", response=begun)]
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
        for item, arguments in self._open:
            place = {"output_index": item, "item_id": self._items[item]["id"]}
            self._items[item] |= {"arguments": "".join(arguments) or "{}", "status": "completed"}
            done = {"name": self._items[item]["name"], "arguments": self._items[item]["arguments"]}
            out.append(self._event("response.function_call_arguments.done", **place, **done))
            out.append(self._event("response.output_item.done", output_index=item, item=self._items[item]))
        finish = self._watch.finish_reason
        response = _response(self._asked, self._first or chat.Chat(), self._items, finish, self._watch.usage())
        kind = "response.incomplete" if response["status"] == "incomplete" else "response.completed"
        return [*out, self._event(kind, response=response)]

    def _say(self, text: str) -> list[bytes]:
        out: list[bytes] = []
        if self._text_at < 0:
            number = (self._first and self._first.id) or ""
            self._text_at = self._begin(_text_item(f"{number}_{len(self._items)}", "", "in_progress"), out)
            out.append(self._event("response.content_part.added", **self._part(), part=_text_part("")))
        self._text.append(text)
        self._hold(text)
        return [*out, self._event("response.output_text.delta", **self._part(), delta=text, logprobs=[])]

    def _part(self) -> Document:
        return {"item_id": self._items[self._text_at]["id"], "output_index": self._text_at, "content_index": 0}

    def _close_text(self) -> list[bytes]:
        if self._text_at < 0:
            return []
        text, at, place = "".join(self._text), self._text_at, self._part()
        self._items[at] |= {"status": "completed", "content": [_text_part(text)]}
        self._text, self._text_at = [], -1
        return [
            self._event("response.output_text.done", **place, text=text, logprobs=[]),
            self._event("response.content_part.done", **place, part=_text_part(text)),
            self._event("response.output_item.done", output_index=at, item=self._items[at]),
        ]

    def _call(self, call: chat.ToolCall) -> list[bytes]:
        function = call.function or chat.Function()
        number = call.index or 0
        known = self._calls.get(number)
        out: list[bytes] = []
        if known is None or (call.id and call.id != self._items[known[0]]["call_id"]):
            if not function.name or len(self._items) > CALLS_MAX:
                self._watch.fail("malformed", "the provider sent a tool call without a name, or more than are carried")
                return []
            out = self._close_text()
            place = len(self._items)
            item = _call_item(place, call.id or f"call_{place}", function.name, "", "in_progress")
            known = self._calls[number] = (self._begin(item, out), [])
            self._open.append(known)
        if function.arguments:
            known[1].append(function.arguments)
            self._hold(function.arguments)
            at = {"item_id": self._items[known[0]]["id"], "output_index": known[0]}
            out.append(self._event("response.function_call_arguments.delta", **at, delta=function.arguments))
        return out

    def _hold(self, text: str) -> None:
        """The last event tells all of it again, so all of it is kept."""
        self._held_chars += len(text)
        if self._held_chars > HELD_CHARS_MAX:
            self._watch.fail("malformed", f"the provider's answer has more than {HELD_CHARS_MAX} characters")

    def _begin(self, item: Document, out: list[bytes]) -> int:
        self._items.append(item)
        out.append(self._event("response.output_item.added", output_index=len(self._items) - 1, item=item))
        return len(self._items) - 1

    def _event(self, kind: str, **more: Any) -> bytes:
        self._sequence += 1
        return sse.write(write_json({"type": kind, "sequence_number": self._sequence} | more), kind.encode())
