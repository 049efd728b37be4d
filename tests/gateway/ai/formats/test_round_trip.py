"""What is translated there and back is what it was."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.ai.formats.streams import (
    as_completion,
    as_message,
    ask,
    provider_stream,
    run,
    way,
)

from foregate.gateway.ai.formats import FORMATS, BadRequest
from foregate.lab.providers import Call, Script

THERE, BACK = way("openai-chat", "anthropic-messages"), way("anthropic-messages", "openai-chat")
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
_NAME = st.from_regex(r"[a-z_]{1,10}", fullmatch=True)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAME, inner, max_size=3),
    max_leaves=5,
)
_ARGUMENTS = st.dictionaries(_NAME, _VALUES, max_size=3)


@st.composite
def _conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Turns as chat completions say them, without two of a kind in a row, which would become one."""
    said: list[dict[str, Any]] = [{"role": "system", "content": draw(_TEXT)}] if draw(st.booleans()) else []
    for turn in range(draw(st.integers(1, 3))):
        said.append({"role": "user", "content": draw(_TEXT)})
        called = draw(st.lists(st.tuples(_NAME, _ARGUMENTS), max_size=2))
        if called:
            calls = [
                {
                    "id": f"call_{turn}_{number}",
                    "type": "function",
                    "function": {"name": name, "arguments": msgspec.json.encode(given).decode()},
                }
                for number, (name, given) in enumerate(called)
            ]
            text = draw(st.none() | _TEXT)
            said.append({"role": "assistant", "content": text, "tool_calls": calls})
            said += [{"role": "tool", "tool_call_id": call["id"], "content": draw(_TEXT)} for call in calls]
        else:
            said.append({"role": "assistant", "content": draw(_TEXT)})
    return said


@settings(max_examples=150, derandomize=True, deadline=None)
@given(_conversations(), st.integers(1, 1_000), st.floats(0, 1), st.booleans())
def test_a_request_said_in_messages_and_said_back_is_the_same(
    messages: list[dict[str, Any]], tokens: int, temperature: float, parallel: bool
) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string"}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema, "description": "A tool"}}]
    request: dict[str, Any] = {
        "model": "one",
        "messages": messages,
        "max_completion_tokens": tokens,
        "temperature": temperature,
        "tools": tools,
        "tool_choice": "auto",
    }
    if not parallel:
        request["parallel_tool_calls"] = False
    asked = FORMATS["openai-chat"].read(msgspec.json.encode(request))
    there = FORMATS["anthropic-messages"].read(THERE.request(asked, "two"))
    assert msgspec.json.decode(BACK.request(there, "one")) == request
    assert abs(there.input_tokens - asked.input_tokens) <= 40 + asked.input_tokens  # of the same order


_SCRIPTS = st.builds(
    lambda pieces, called: Script(
        pieces, [Call(name, msgspec.json.encode(given).decode(), f"call_{n}") for n, (name, given) in enumerate(called)]
    ),
    st.lists(_TEXT, min_size=1, max_size=6),
    st.lists(st.tuples(_NAME, _ARGUMENTS), max_size=3),
)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(_SCRIPTS, st.data())
def test_a_stream_says_in_either_language_what_the_provider_said(script: Script, data: st.DataObject) -> None:
    wanted = [(call.id, call.name, msgspec.json.decode(call.arguments)) for call in script.calls]
    asked = ask("openai-chat")
    out = run(THERE.stream(asked), _cut(data, provider_stream(THERE, asked, script)))
    message = as_completion(out).choices[0].message
    assert message.content == "".join(script.pieces)
    heard = [(call.id, call.function) for call in message.tool_calls or ()]  # type: ignore[union-attr]
    assert [(number, function.name, msgspec.json.decode(function.arguments)) for number, function in heard] == wanted
    asked = ask("anthropic-messages")
    out = run(BACK.stream(asked), _cut(data, provider_stream(BACK, asked, script)))
    text, *used = as_message(out).content
    assert text.text == "".join(script.pieces)  # type: ignore[union-attr]
    assert [(block.id, block.name, block.input) for block in used] == wanted  # type: ignore[union-attr]


def _cut(data: st.DataObject, events: list[tuple[bytes, bool]]) -> list[bytes]:
    whole = b"".join(event for event, _ in events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    return [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 2_000))
def test_bytes_put_into_a_stream_never_raise_in_a_translation(garbage: bytes, at: int) -> None:
    for by, name in ((THERE, "openai-chat"), (BACK, "anthropic-messages")):
        asked = ask(name)  # type: ignore[arg-type]
        script = Script(("a", "b"), (Call("f", '{"x": 1}'),))
        sent = b"".join(event for event, _ in provider_stream(by, asked, script))
        stream = by.stream(asked)
        run(stream, [sent[:at], garbage, sent[at:]])
        assert stream.ended != (stream.failure is not None)
        stream.usage()


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["text", "user", "tool", "image", "x", "auto"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "role",
                    "content",
                    "text",
                    "tool_calls",
                    "function",
                    "name",
                    "source",
                    "input",
                    "id",
                    "arguments",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


_NAMES = ["tool_choice", "stop", "stop_sequences", "system", "temperature", "response_format", "reasoning_effort"]
_NAMES += ["output_config", "thinking", "metadata", "user", "stream_options", "n", "tools", "service_tier"]
_PARAMETERS = st.dictionaries(st.sampled_from(_NAMES), _ANYTHING, max_size=5)
_TOOLS = {
    THERE: [{"type": "function", "function": {"name": "f"}}],
    BACK: [{"name": "f", "input_schema": {"type": "object"}}],
}


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(_ANYTHING, min_size=1, max_size=3), _PARAMETERS, st.booleans())
def test_requests_of_any_shape_are_translated_or_refused_and_never_break(
    messages: list[Any], parameters: dict[str, Any], proper: bool
) -> None:
    said = [{"role": "user", "content": "x"}] if proper else messages
    for by in (THERE, BACK, way("openai-chat", "openai-chat"), way("anthropic-messages", "anthropic-messages")):
        tools = {"tools": _TOOLS[by]} if by in _TOOLS else {}
        body = {"model": "m", "max_tokens": 5, "messages": said} | tools | parameters
        try:
            asked = by.client.read(msgspec.json.encode(body))
            by.request(asked, "real")
        except BadRequest:
            continue
        assert asked.input_tokens > 0
