"""A client speaks OpenAI's older completions, the provider chat completions: the prompt is what a user says.

A model that chats answers a prompt rather than go on with it; what depends on going on (`suffix`, `echo`) is refused.
"""

from __future__ import annotations

from typing import Any

from foregate.gateway.ai import sse
from foregate.gateway.ai.formats import openai_chat as chat
from foregate.gateway.ai.formats.format import OUTPUT_TOKENS_DEFAULT, Asked, BadRequest, Document, Format, Stream, Whole
from foregate.gateway.ai.formats.openai import DONE, usage_document
from foregate.gateway.ai.formats.reading import only, words, write_json, write_request
from foregate.gateway.ai.formats.watch import Translated, Translator, Watch

_VENDOR = "chat completions"
_SAME = words("temperature top_p stop seed presence_penalty frequency_penalty logit_bias user n")
_KNOWN = _SAME | words("model prompt max_tokens stream stream_options")
_NEUTRAL: dict[str, tuple[Any, ...]] = {"suffix": ("",), "echo": (False,), "best_of": (1,)}
_FINISH = {"length": "length", "content_filter": "content_filter"}


class OpenAICompletionsToChat:
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
        output: Document = {"model": model, "messages": [{"role": "user", "content": _prompt(said["prompt"])}]}
        output["max_tokens" if compatible else "max_completion_tokens"] = asked.output_tokens_max
        if asked.stream:
            output |= {"stream": True, "stream_options": {"include_usage": True}}
        output |= {name: said[name] for name in sorted(_SAME) if said.get(name) is not None}
        return write_request(output)

    def answer(self, body: bytes, asked: Asked) -> Whole:
        read = chat.read_chat(body)
        whole = chat.chat_whole(read, body, asked)
        choices = []
        for choice in read.choices or ():
            message = choice.message or chat.Message()
            choices.append(_choice(choice.index, message.text or message.refusal or "", choice.finish_reason or "stop"))
        answer = _head(asked, read) | {"choices": choices, "usage": usage_document(whole.usage)}
        return whole._replace(body=write_json(answer))

    def stream(self, asked: Asked) -> Stream:
        watch = chat.ChatWatch(asked, thoughts=False)
        return Translated(watch, self.client, _ToTexts(asked, watch))


def _prompt(prompt: Any) -> str:
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if isinstance(prompt, str):
        return prompt
    raise BadRequest(f"`prompt` must be one text: several, or tokens, cannot be translated for {_VENDOR}.", "prompt")


def _head(asked: Asked, read: chat.Chat) -> Document:
    return {"id": read.id or "", "object": "text_completion", "created": asked.created, "model": read.model or ""}


def _choice(index: int, text: str, finish: str | None) -> Document:
    reason = finish and _FINISH.get(finish, "stop")
    return {"index": index, "text": text, "logprobs": None, "finish_reason": reason}


class _ToTexts(Translator):
    def __init__(self, asked: Asked, watch: Watch) -> None:
        self._asked = asked
        self._watch = watch
        self._head: Document | None = None

    def feed(self, read: chat.Chat) -> list[bytes]:
        if self._head is None:
            self._head = _head(self._asked, read)
        choices = []
        for choice in read.choices or ():
            delta = choice.delta or chat.Message()
            text = delta.text + (delta.refusal or "")
            if text or choice.finish_reason:
                choices.append(_choice(choice.index, text, choice.finish_reason))
        return [sse.write(write_json(self._head | {"choices": choices}))] if choices else []

    def end(self) -> list[bytes]:
        if not self._asked.usage_wanted:
            return [DONE]
        usage = usage_document(self._watch.usage())
        return [sse.write(write_json((self._head or {}) | {"choices": [], "usage": usage})), DONE]
