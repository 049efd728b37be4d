"""Streams of the fake providers without a socket, and what the real clients make of ours."""

from typing import Any

import msgspec
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from foregate.gateway.ai import sse
from foregate.gateway.ai.formats import FORMATS, Asked, translation
from foregate.gateway.ai.formats.format import Name, Stream, Translation
from foregate.lab.providers import FakeAnthropic, FakeOpenAI, Script
from foregate.lab.providers.script import Asked as Seen

QUESTION: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
REQUESTS: dict[Name, dict[str, Any]] = {
    "openai-chat": QUESTION,
    "openai-completions": {"model": "m", "prompt": "Hello", "stream": True},
    "openai-embeddings": {"model": "m", "input": "Hello"},
    "openai-responses": {"model": "m", "input": "Hello", "stream": True},
    "anthropic-messages": QUESTION | {"max_tokens": 100},
}
_EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


def way(client: Name, provider: Name) -> Translation:
    found = translation(FORMATS[client], FORMATS[provider])
    assert found is not None
    return found


def ask(name: Name, **more: Any) -> Asked:
    return FORMATS[name].read(msgspec.json.encode(REQUESTS[name] | more))


def _seen(by: Translation, asked: Asked) -> tuple[FakeOpenAI | FakeAnthropic, Seen]:
    fake = FakeAnthropic() if by.provider.vendor == "anthropic" else FakeOpenAI()
    return fake, Seen(by.provider.path.decode(), msgspec.json.decode(by.request(asked, "real-model")), ())


def provider_stream(by: Translation, asked: Asked, script: Script) -> list[tuple[bytes, bool]]:
    """The events that the fake provider answers to the translated request, and which of them have tokens."""
    fake, seen = _seen(by, asked)
    return list(fake.events(seen, script))


def provider_answer(by: Translation, asked: Asked, script: Script) -> bytes:
    fake, seen = _seen(by, asked)
    return fake.whole(seen, script)


def run(stream: Stream, pieces: list[bytes]) -> bytes:
    return b"".join(map(stream.feed, pieces)) + stream.finish()


def events(out: bytes) -> list[sse.Event]:
    """All of it must be whole events."""
    parser = sse.Parser()
    found = parser.feed(out)
    assert not parser.waiting, out
    return [event for event in found if event.data is not None]


def documents(out: bytes) -> list[dict[str, Any]]:
    return [msgspec.json.decode(event.data) for event in events(out) if event.data and event.data != b"[DONE]"]


def as_completion(out: bytes) -> ChatCompletion:
    """What OpenAI's client makes of a stream. Each chunk must be one of its types."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for document in documents(out):
        state.handle_chunk(ChatCompletionChunk.model_validate(document, strict=True))
    return state.get_final_completion()


def as_message(out: bytes) -> Message:
    """What Anthropic's client makes of a stream. Each event must be one of its types, and named so."""
    snapshot, arguments = None, {}
    _check_blocks(documents(out))
    for event in events(out):
        document = msgspec.json.decode(event.data or b"")
        assert document["type"] == event.kind.decode()
        snapshot = accumulate_event(
            event=_EVENT.validate_python(document), current_snapshot=snapshot, json_bufs=arguments
        )
    assert snapshot is not None
    return snapshot


def _check_blocks(said: list[dict[str, Any]]) -> None:
    """Blocks are numbered as they begin, get deltas only while they are open, and no text stays open beside another."""
    begun, open_blocks = 0, {}
    for document in said:
        kind, index = document["type"], document.get("index")
        if kind == "content_block_start":
            assert index == begun
            assert "text" not in open_blocks.values()
            begun += 1
            open_blocks[index] = document["content_block"]["type"]
        elif kind == "content_block_delta":
            assert index in open_blocks
        elif kind == "content_block_stop":
            del open_blocks[index]
        elif kind == "message_delta":
            assert not open_blocks
