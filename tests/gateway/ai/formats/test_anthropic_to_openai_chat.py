"""A client of messages and a provider of chat completions understand one another; what cannot be said is refused."""

from typing import Any

import msgspec
import pytest
from anthropic.types import Message
from tests.gateway.ai.formats.streams import (
    as_message,
    ask,
    documents,
    events,
    provider_answer,
    provider_stream,
    run,
    way,
)

from foregate.gateway.ai.formats import BadRequest, Malformed
from foregate.gateway.ai.tokens import estimate
from foregate.gateway.ai.usage import Usage
from foregate.lab.providers import Call, Script

BY = way("anthropic-messages", "openai-chat")
CALLS = (Call("weather", '{"place": "Paris", "days": 3}', "call_1"), Call("now", "{}", "call_2"))
SCRIPT = Script(("Grüße", ", ", "世界", " 😀"), CALLS, cached_tokens=4)


def _written(compatible: bool = False, **more: Any) -> dict[str, Any]:
    asked = ask("anthropic-messages", **{"stream": False, **more})
    written: dict[str, Any] = msgspec.json.decode(BY.request(asked, "gpt", compatible=compatible))
    return written


def test_a_conversation_with_tools_and_images_is_said_in_chat_completions() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    linked = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    paper = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "BBBB"}}
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    used = {"type": "tool_use", "id": "t1", "name": "weather", "input": {"place": "Paris"}}
    again = {"type": "tool_use", "id": "t2", "name": "now", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "sunny"}]}
    failed = {"type": "tool_result", "tool_use_id": "t2", "content": "no clock", "is_error": True}
    hint = {"cache_control": {"type": "ephemeral"}}
    written = _written(
        system=[{"type": "text", "text": "Be brief."} | hint],
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "What is this?"}, image, linked, paper]},
            {"role": "assistant", "content": [thought, {"type": "text", "text": "Let me see."}, used, again]},
            {"role": "user", "content": [result, failed, {"type": "text", "text": "And tomorrow?"}]},
        ],
        temperature=0.5,
        stop_sequences=["END"],
        metadata={"user_id": "u-1"},
        thinking={"type": "enabled", "budget_tokens": 2_000},
    )
    assert written == {
        "model": "gpt",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                    {
                        "type": "file",
                        "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,BBBB"},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": "Let me see.",
                "tool_calls": [
                    {"id": "t1", "type": "function", "function": {"name": "weather", "arguments": '{"place":"Paris"}'}},
                    {"id": "t2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "tool_call_id": "t1", "content": "sunny"},
            {"role": "tool", "tool_call_id": "t2", "content": "Error: no clock"},
            {"role": "user", "content": "And tomorrow?"},
        ],
        "max_completion_tokens": 100,
        "temperature": 0.5,
        "stop": ["END"],
        "user": "u-1",
        "reasoning_effort": "low",
    }


def test_tools_and_the_choice_among_them_are_said_in_chat_completions() -> None:
    schema = {"type": "object", "properties": {"place": {"type": "string"}}}
    tools = [{"name": "weather", "description": "The weather", "input_schema": schema}]
    choice = {"type": "any", "disable_parallel_tool_use": True}
    written = _written(tools=tools, tool_choice=choice)
    function = {"name": "weather", "parameters": schema, "description": "The weather"}
    assert written["tools"] == [{"type": "function", "function": function}]
    assert written["tool_choice"] == "required"
    assert written["parallel_tool_calls"] is False
    named = {"type": "function", "function": {"name": "weather"}}
    assert _written(tools=tools, tool_choice={"type": "tool", "name": "weather"})["tool_choice"] == named


def test_a_schema_for_the_answer_and_effort_are_said_in_chat_completions() -> None:
    config = {"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}}
    written = _written(output_config=config)
    assert written["reasoning_effort"] == "high"
    assert written["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_a_provider_that_only_resembles_openai_is_told_the_bound_in_the_older_word() -> None:
    assert _written(compatible=True)["max_tokens"] == 100
    assert "max_tokens" not in _written()


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"top_k": 5}, "top_k"),
        ({"stop_sequences": list("abcde")}, "stop_sequences"),
        ({"container": "c"}, "container"),
        ({"something_new": 1}, "something_new"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0]"),
        ({"metadata": {"other": "x"}}, "metadata.other"),
        ({"messages": [{"role": "user", "content": [{"type": "search_result"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image"}]}],
                    }
                ]
            },
            "messages[0].content[0].content[0]",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "url", "url": "x"}}]}]},
            "messages[0].content[0].source",
        ),
    ],
)
def test_what_chat_completions_cannot_say_is_refused_by_name(more: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        _written(**more)
    assert refused.value.param == param


def test_a_whole_answer_is_a_message() -> None:
    asked = ask("anthropic-messages", stream=False)
    whole = BY.answer(provider_answer(BY, asked, SCRIPT), asked)
    message = Message.model_validate_json(whole.body, strict=True)
    assert [block.type for block in message.content] == ["text", "tool_use", "tool_use"]
    assert message.content[0].text == "Grüße, 世界 😀"  # type: ignore[union-attr]
    assert message.content[1].input == {"place": "Paris", "days": 3}  # type: ignore[union-attr]
    assert message.stop_reason == "tool_use"
    assert message.usage.input_tokens == 7
    assert message.usage.cache_read_input_tokens == 4
    assert message.usage.output_tokens == SCRIPT.output_tokens
    assert whole.usage == Usage(11, SCRIPT.output_tokens, 4)


@pytest.mark.parametrize(
    ("said", "heard"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal"), ("something_new", "end_turn")],
)
def test_reasons_to_finish_are_those_of_messages(said: str, heard: str) -> None:
    asked = ask("anthropic-messages")
    script = Script(finish=said)
    whole = BY.answer(provider_answer(BY, asked, script), asked)
    assert Message.model_validate_json(whole.body).stop_reason == heard
    out = run(BY.stream(asked), [event for event, _ in provider_stream(BY, asked, script)])
    assert as_message(out).stop_reason == heard


def test_a_stream_is_events_of_a_message_however_it_was_cut() -> None:
    asked = ask("anthropic-messages")
    sent = b"".join(event for event, _ in provider_stream(BY, asked, SCRIPT))
    stream = BY.stream(asked)
    out = run(stream, [sent])
    assert stream.ended
    kinds = [event.kind for event in events(out)]
    assert kinds[0] == b"message_start"
    assert kinds[-2:] == [b"message_delta", b"message_stop"]
    message = as_message(out)
    assert message.content[0].text == "Grüße, 世界 😀"  # type: ignore[union-attr]
    assert [(b.id, b.name, b.input) for b in message.content[1:]] == [  # type: ignore[union-attr]
        ("call_1", "weather", {"place": "Paris", "days": 3}),
        ("call_2", "now", {}),
    ]
    assert message.stop_reason == "tool_use"
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (7, 4)
    assert message.usage.output_tokens == SCRIPT.output_tokens
    for at in range(0, len(sent) + 1, 7):
        assert run(BY.stream(asked), [sent[:at], sent[at:]]) == out
    assert run(BY.stream(asked), [sent[n : n + 1] for n in range(len(sent))]) == out


def _chunks(*deltas: dict[str, Any]) -> list[bytes]:
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    return [b"data: " + msgspec.json.encode({"id": "x", "choices": [each]}) + b"\n\n" for each in [*choices, last]]


def _call(index: int | None, arguments: str, **more: str) -> dict[str, Any]:
    name = more.pop("name", None)
    return {"index": index, "function": {"name": name, "arguments": arguments}} | more


def test_calls_whose_arguments_come_interleaved_or_all_under_one_number_are_told_apart() -> None:
    interleaved = _chunks(
        {"tool_calls": [_call(0, "", id="a", name="f")]},
        {"tool_calls": [_call(1, "", id="b", name="g")]},
        {"tool_calls": [_call(0, '{"x"'), _call(1, '{"y"')]},
        {"tool_calls": [_call(0, ":1}"), _call(1, ":2}")]},
    )
    one_number = _chunks(
        {"tool_calls": [_call(0, '{"x":1}', id="a", name="f")]}, {"tool_calls": [_call(0, '{"y":2}', id="b", name="g")]}
    )
    for sent in (interleaved, one_number):
        message = as_message(run(BY.stream(ask("anthropic-messages")), sent))
        assert [(b.id, b.input) for b in message.content] == [("a", {"x": 1}), ("b", {"y": 2})]  # type: ignore[union-attr]
        assert message.stop_reason == "tool_use"


def test_text_that_goes_on_after_a_call_is_a_block_of_its_own() -> None:
    sent = _chunks({"content": "one"}, {"tool_calls": [_call(0, "{}", id="a", name="f")]}, {"content": "two"})
    message = as_message(run(BY.stream(ask("anthropic-messages")), sent))
    assert [block.type for block in message.content] == ["text", "tool_use", "text"]
    assert message.content[2].text == "two"  # type: ignore[union-attr]


def test_reasoning_is_neither_sent_nor_counted_as_sent() -> None:
    asked = ask("anthropic-messages")
    stream = BY.stream(asked)
    sent = [event for event, _ in provider_stream(BY, asked, Script(("Yes",), (), ("secret", " thought")))]
    out = b"".join(map(stream.feed, sent[:3]))
    assert not stream.begun
    assert stream.usage().output == 0
    assert b"secret" not in out + b"".join(map(stream.feed, sent[3:]))
    assert stream.usage().reasoning == 2


def test_a_stream_left_after_any_event_is_billed_what_was_sent_and_can_be_ended() -> None:
    asked = ask("anthropic-messages")
    stream, out = BY.stream(asked), b""
    for event, _ in provider_stream(BY, asked, SCRIPT)[:-2]:
        out += stream.feed(event)
        said = ""
        for document in documents(out):
            delta = document.get("delta", {})
            said += delta.get("text", "") + delta.get("partial_json", "")
            said += document.get("content_block", {}).get("name", "")
        assert stream.usage() == Usage(asked.input_tokens, estimate(said), estimated=True)
    ending = events(stream.error_event(529, "It broke off."))
    assert ending[0].kind == b"error"
    assert msgspec.json.decode(ending[0].data or b"")["error"] == {
        "type": "overloaded_error",
        "message": "It broke off.",
    }


def test_arguments_that_are_no_object_make_a_whole_answer_malformed() -> None:
    asked = ask("anthropic-messages")
    with pytest.raises(Malformed):
        BY.answer(provider_answer(BY, asked, Script((), (Call("f", "{not json"),))), asked)


def test_a_tool_call_without_a_name_is_malformed() -> None:
    stream = BY.stream(ask("anthropic-messages"))
    run(stream, _chunks({"tool_calls": [_call(0, "{}", id="a")]}))
    assert stream.failure is not None
    assert not stream.ended


def test_arguments_nested_without_end_are_the_providers_mistake() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": "[" * 100_000}}
    body = msgspec.json.encode({"choices": [{"message": {"tool_calls": [call]}}]})
    with pytest.raises(Malformed):
        BY.answer(body, ask("anthropic-messages"))
