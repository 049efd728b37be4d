"""The translation of a format into itself: as it came, but for the model's name and the wish to be told the usage.

A request is written anew rather than cut and pasted: of a name that comes twice only one value is left, so that what
was checked here is what the provider reads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from foregate.gateway.ai.formats import (
    anthropic_messages,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
)
from foregate.gateway.ai.formats.format import OUTPUT_TOKENS_DEFAULT, Asked, Format, Name, Stream, Whole
from foregate.gateway.ai.formats.openai import DONE
from foregate.gateway.ai.formats.reading import write_request
from foregate.gateway.ai.formats.watch import PassedOn, Watch


class _Kind(NamedTuple):
    whole: Callable[[bytes, Asked], Whole]
    watch: Callable[[Asked], Watch]
    usage_by_option: bool = False  # the usage of a stream is told where `stream_options.include_usage` asks for it
    completion: bytes = b""


_MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_KINDS: dict[Name, _Kind] = {
    "openai-chat": _Kind(openai_chat.whole, openai_chat.ChatWatch, True, DONE),
    "openai-completions": _Kind(openai_completions.whole, openai_completions.CompletionWatch, True, DONE),
    "openai-embeddings": _Kind(openai_embeddings.whole, Watch),
    "openai-responses": _Kind(openai_responses.whole, openai_responses.ResponsesWatch),
    "anthropic-messages": _Kind(anthropic_messages.whole, anthropic_messages.MessagesWatch, False, _MESSAGE_STOP),
}


def _only_usage(read: Any) -> bool:
    """A chunk that is there for the usage alone: clients that did not ask for it look for a choice in it, and fail."""
    return read.usage is not None and not read.choices


class Same:
    def __init__(self, spoken: Format) -> None:
        self.client = self.provider = spoken
        self._kind = _KINDS[spoken.name]

    def request(
        self,
        asked: Asked,
        model: str,
        output_tokens_default: int = OUTPUT_TOKENS_DEFAULT,
        compatible: bool = False,
    ) -> bytes:
        document = asked.document | {"model": model}
        if self._kind.usage_by_option and asked.stream:
            options = document.get("stream_options")
            document["stream_options"] = (options if isinstance(options, dict) else {}) | {"include_usage": True}
        return write_request(document)

    def answer(self, body: bytes, asked: Asked) -> Whole:
        return self._kind.whole(body, asked)

    def stream(self, asked: Asked) -> Stream:
        unwanted = _only_usage if self._kind.usage_by_option and not asked.usage_wanted else None
        return PassedOn(self._kind.watch(asked), self.client, unwanted, self._kind.completion)
