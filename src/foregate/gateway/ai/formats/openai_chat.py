"""OpenAI's chat completions: POST /v1/chat/completions. What all compatible providers speak."""

from __future__ import annotations

from typing import Any

import msgspec

from foregate.gateway.ai.formats.format import Asked, Document, Malformed, Name, Whole
from foregate.gateway.ai.formats.openai import OpenAIFormat, UsageDocument, told_error
from foregate.gateway.ai.formats.reading import count, flag, items, json_tokens, read_answer, read_object, write_json
from foregate.gateway.ai.formats.watch import CHOICES_MAX, Watch
from foregate.gateway.ai.tokens import FILE_CHARS_PER_TOKEN, IMAGE_TOKENS, MESSAGE_TOKENS, estimate
from foregate.gateway.ai.usage import settled, unsaid


class Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Message(msgspec.Struct):
    """A message of a whole answer, or a delta of one. Content in parts is what some compatible providers send."""

    content: str | list[dict[str, Any]] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None  # of compatible providers; OpenAI itself does not show it
    reasoning: str | dict[str, Any] | None = None  # the same under another name
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part["text"] for part in self.content if isinstance(part.get("text"), str))
        return self.content or ""

    @property
    def thought(self) -> str:
        return self.reasoning_content or (self.reasoning if isinstance(self.reasoning, str) else "") or ""

    @property
    def called(self) -> str:
        """Names and arguments of its tool calls, as text to be counted."""
        calls = [call.function for call in self.tool_calls or () if call.function] + [self.function_call]
        return "".join((function.name or "") + (function.arguments or "") for function in calls if function)


class Choice(msgspec.Struct):
    index: int = 0
    message: Message | None = None
    delta: Message | None = None
    finish_reason: str | None = None


class Chat(msgspec.Struct):
    """A whole answer, or one chunk of a stream."""

    id: str | None = None
    model: str | None = None
    created: int | float | None = None
    choices: list[Choice] | None = None
    usage: UsageDocument | None = None
    error: Any = None


CHAT = msgspec.json.Decoder(Chat)
_DONE = b"[DONE]"
_DEPTH_MAX = 4  # of parts within parts: a tool's result is the second; what is deeper no provider takes


class ChatWatch(Watch):
    """`thoughts`: whether reasoning is passed on, and so counts among what the client was sent."""

    def __init__(self, asked: Asked, thoughts: bool = True) -> None:
        super().__init__(asked)
        self._thoughts = thoughts
        self._finished: set[int] = set()  # choices
        self._open: set[int] = set()

    def _see(self, data: bytes) -> Chat | None:
        if data == _DONE:
            if self._open:
                self.ended = True
            else:
                self.fail("malformed", "the provider ended a stream in which there was no choice")
            return None
        chunk = CHAT.decode(data)
        if chunk.error:
            told = told_error(chunk.error)
            self.fail("told", told.message, told.code)
            return None
        if chunk.model and not self.model:
            self.model = chunk.model
        for choice in chunk.choices or ():
            self._choice(choice)
        if chunk.usage is not None:
            said = chunk.usage
            self.report(said.read(), said.prompt_tokens is not None, said.completion_tokens is not None)
        return chunk

    def _choice(self, choice: Choice) -> None:
        delta = choice.delta
        self._open.add(choice.index)
        if len(self._open) > CHOICES_MAX:
            self.fail("malformed", "the provider sent more choices than anybody can ask for")
        if delta is not None:
            text = (
                delta.text + (delta.refusal or "") + (delta.called if delta.tool_calls or delta.function_call else "")
            )
            if self._thoughts:
                text += delta.thought
            if text:
                self.count(text)
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason
            self._finished.add(choice.index)

    def closed(self) -> None:
        """Where every choice has its reason to finish it is the end, though the provider did not say [DONE]."""
        if self._open <= self._finished and len(self._finished) >= self.asked.choices:
            self.ended = True
        else:
            super().closed()


class OpenAIChat(OpenAIFormat):
    name: Name = "openai-chat"
    path = b"/v1/chat/completions"
    operation = "chat"

    def read(self, body: bytes) -> Asked:
        document = read_object(body)
        items(document, "messages")
        output = count(document, "max_completion_tokens")
        return Asked(
            self,
            document,
            stream=flag(document, "stream"),
            usage_wanted=usage_wanted(document),
            output_tokens_max=output if output is not None else count(document, "max_tokens"),
            choices=count(document, "n") or 1,
        )

    def count_input(self, document: Document) -> int:
        tokens = 3  # the answer's own beginning
        for message in document["messages"]:
            tokens += MESSAGE_TOKENS
            if isinstance(message, dict):
                tokens += content_tokens(message.get("content"))
                tokens += sum(json_tokens(message.get(name)) for name in ("tool_calls", "function_call"))
        return tokens + sum(json_tokens(document.get(name)) for name in ("tools", "functions", "response_format"))


def content_tokens(content: Any, depth: int = 0) -> int:
    """Tokens of a message's content: a text, or parts of text, image, audio and file, of any provider's kind."""
    if isinstance(content, str):
        return estimate(content)
    if not isinstance(content, list) or depth > _DEPTH_MAX:
        return 0
    return sum(_part_tokens(part, depth + 1) for part in content)


def _part_tokens(part: Any, depth: int) -> int:
    if not isinstance(part, dict):
        return content_tokens(part, depth)
    kind = part.get("type")
    if kind in ("image_url", "image", "input_image", "input_audio"):
        return IMAGE_TOKENS
    if kind in ("file", "document", "input_file"):
        return max(IMAGE_TOKENS, len(write_json(part)) // FILE_CHARS_PER_TOKEN)
    nested = content_tokens(part.get("content"), depth)  # a tool's result
    text = next((part[name] for name in ("text", "thinking", "refusal") if isinstance(part.get(name), str)), "")
    return nested + estimate(text) + json_tokens(part.get("input"))


def usage_wanted(document: Document) -> bool:
    options = document.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def read_chat(body: bytes) -> Chat:
    """A whole chat completion. Raises Malformed."""
    chat = read_answer(CHAT, body)
    if chat.error:
        raise Malformed(f"the provider answered 200 with an error: {told_error(chat.error).message}")
    if not chat.choices or any(choice.message is None for choice in chat.choices):
        raise Malformed("the provider's answer has no choices")
    return chat


def whole(body: bytes, asked: Asked) -> Whole:
    """A whole answer that is passed on as it is."""
    chat = read_chat(body)
    return chat_whole(chat, body, asked)


def chat_whole(chat: Chat, body: bytes, asked: Asked) -> Whole:
    """`chat` as `body` says it to the client."""
    said = chat.usage or UsageDocument()
    own_output = None
    if not said.completion_tokens:
        messages = [choice.message for choice in chat.choices or () if choice.message]
        own_output = sum(estimate(m.text + (m.refusal or "") + m.thought + m.called) for m in messages)
        own_output = unsaid(said.completion_tokens, own_output)
    usage = settled(said.read(), None if said.prompt_tokens else asked.input_tokens, own_output)
    reasons = [choice.finish_reason or "" for choice in chat.choices or ()]
    return Whole(body, usage, reasons[0] if reasons else "", chat.model or "")
