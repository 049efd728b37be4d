"""OpenAI's older completions: POST /v1/completions. One or more prompts, each gets `n` texts."""

from __future__ import annotations

from typing import Any

import msgspec

from foregate.gateway.ai.formats.format import Asked, BadRequest, Document, Malformed, Name, Whole
from foregate.gateway.ai.formats.openai import OpenAIFormat, UsageDocument, told_error
from foregate.gateway.ai.formats.openai_chat import usage_wanted
from foregate.gateway.ai.formats.reading import count, flag, read_answer, read_object
from foregate.gateway.ai.formats.watch import CHOICES_MAX, Watch
from foregate.gateway.ai.tokens import estimate
from foregate.gateway.ai.usage import settled

_OUTPUT_TOKENS_DEFAULT = 16  # OpenAI's own, where max_tokens is not said


class TextChoice(msgspec.Struct):
    index: int = 0
    text: str | None = None
    finish_reason: str | None = None


class Completion(msgspec.Struct):
    """A whole answer, or one chunk of a stream."""

    model: str | None = None
    choices: list[TextChoice] | None = None
    usage: UsageDocument | None = None
    error: Any = None


COMPLETION = msgspec.json.Decoder(Completion)


class CompletionWatch(Watch):
    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._finished: set[int] = set()

    def _see(self, data: bytes) -> Completion | None:
        if data == b"[DONE]":
            self.ended = True
            return None
        chunk = COMPLETION.decode(data)
        if chunk.error:
            told = told_error(chunk.error)
            self.fail("told", told.message, told.code)
            return None
        if chunk.model and not self.model:
            self.model = chunk.model
        for choice in chunk.choices or ():
            if choice.text:
                self.count(choice.text)
            if choice.finish_reason:
                self.finish_reason = choice.finish_reason
                self._finished.add(choice.index)
        if len(self._finished) > max(CHOICES_MAX, self.asked.choices):
            self.fail("malformed", "the provider sent more choices than were asked for")
        if chunk.usage is not None:
            said = chunk.usage
            self.report(said.read(), said.prompt_tokens is not None, said.completion_tokens is not None)
        return chunk

    def closed(self) -> None:
        if len(self._finished) >= self.asked.choices:
            self.ended = True
        else:
            super().closed()


class OpenAICompletions(OpenAIFormat):
    name: Name = "openai-completions"
    path = b"/v1/completions"
    operation = "text_completion"

    def read(self, body: bytes) -> Asked:
        document = read_object(body)
        prompts = _prompts(document)
        each = count(document, "n") or 1
        best_of = count(document, "best_of") or each  # what is generated, and paid for
        return Asked(
            self,
            document,
            stream=flag(document, "stream"),
            usage_wanted=usage_wanted(document),
            output_tokens_max=count(document, "max_tokens", at_least=0) or _OUTPUT_TOKENS_DEFAULT,
            choices=len(prompts) * max(each, best_of),
        )

    def count_input(self, document: Document) -> int:
        return sum(len(p) if isinstance(p, list) else estimate(p) for p in _prompts(document))


def _prompts(document: Document) -> list[Any]:
    """Texts, or lists of token numbers."""
    return texts_or_tokens(document, "prompt")


def texts_or_tokens(document: Document, name: str) -> list[Any]:
    """A text, texts, a list of token numbers, or lists of these: as a list of texts and lists of numbers."""
    value = document.get(name)
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and value:
        if all(isinstance(item, int) for item in value):
            return [value]
        if all(isinstance(item, str | list) for item in value):
            return value
    raise BadRequest(f"`{name}` must be a text, a list of texts, or tokens.", name)


def whole(body: bytes, asked: Asked) -> Whole:
    """A whole answer that is passed on as it is."""
    answer = read_answer(COMPLETION, body)
    if answer.error or not answer.choices:
        raise Malformed("the provider's answer has no choices")
    said = answer.usage or UsageDocument()
    own_output = None
    if said.completion_tokens is None:
        own_output = sum(estimate(choice.text or "") for choice in answer.choices)
    usage = settled(said.read(), asked.input_tokens if said.prompt_tokens is None else None, own_output)
    return Whole(body, usage, answer.choices[0].finish_reason or "", answer.model or "")
