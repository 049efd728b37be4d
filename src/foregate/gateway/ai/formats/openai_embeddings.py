"""OpenAI's embeddings: POST /v1/embeddings. Never streamed, no output tokens."""

from __future__ import annotations

from typing import Any

import msgspec

from foregate.gateway.ai.formats.format import Asked, Document, Malformed, Name, Whole
from foregate.gateway.ai.formats.openai import OpenAIFormat, UsageDocument
from foregate.gateway.ai.formats.openai_completions import texts_or_tokens
from foregate.gateway.ai.formats.reading import read_answer, read_object
from foregate.gateway.ai.tokens import estimate
from foregate.gateway.ai.usage import settled


class Embeddings(msgspec.Struct):
    data: list[msgspec.Raw] | None = None  # each is left as it is: they are long
    model: str | None = None
    usage: UsageDocument | None = None
    error: Any = None


EMBEDDINGS = msgspec.json.Decoder(Embeddings)


class OpenAIEmbeddings(OpenAIFormat):
    name: Name = "openai-embeddings"
    path = b"/v1/embeddings"
    operation = "embeddings"

    def read(self, body: bytes) -> Asked:
        document = read_object(body)
        texts_or_tokens(document, "input")
        return Asked(self, document, output_tokens_max=0)

    def count_input(self, document: Document) -> int:
        inputs = texts_or_tokens(document, "input")
        return sum(len(each) if isinstance(each, list) else estimate(each) for each in inputs)


def whole(body: bytes, asked: Asked) -> Whole:
    """A whole answer that is passed on as it is."""
    answer = read_answer(EMBEDDINGS, body)
    if answer.error or answer.data is None:
        raise Malformed("the provider's answer has no embeddings")
    said = answer.usage or UsageDocument()
    usage = settled(said.read(), asked.input_tokens if said.prompt_tokens is None else None, None)
    return Whole(body, usage, "", answer.model or "")
