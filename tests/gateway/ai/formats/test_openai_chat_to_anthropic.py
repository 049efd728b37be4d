"""A client of chat completions and a provider of messages understand one another; what cannot be said is refused."""

from typing import Any

import msgspec
import pytest
from openai.types.chat import ChatCompletion
from tests.gateway.ai.formats.streams import (
    as_completion,
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

BY = way("openai-chat", "anthropic-messages")
CALLS = (Call("weather", '{"place": "Paris", "days": 3}', "toolu_1"), Call("now", "{}", "toolu_2"))
SCRIPT = Script(("Grüße", ", ", "世界", " 😀"), CALLS, ("Let me", " think"), cached_tokens=4)


def _written(**more: Any) -> dict[str, Any]:
    asked = ask("openai-chat", **{"stream": False, **more})
    written: dict[str, Any] = msgspec.json.decode(BY.request(asked, "claude"))
    return written


def test_a_conversation_with_tools_and_images_is_said_in_messages() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"place": "Paris"}'}}
    other = {"id": "c2", "type": "function", "function": {"name": "now", "arguments": ""}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "high"}}
    linked = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    written = _written(
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            {"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture, linked]},
            {"role": "assistant", "content": "Let me see.", "tool_calls": [call, other], "refusal": None},
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "noon"}]},
            {"role": "user", "content": "And tomorrow?"},
        ],
        max_completion_tokens=200,
        temperature=0.5,
        top_p=0.9,
        stop="END",
        user="u-1",
        reasoning_effort="minimal",
        n=1,
        frequency_penalty=0,
        logprobs=False,
        seed=None,
    )
    assert written == {
        "model": "claude",
        "max_tokens": 200,
        "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Let me see."},
                    {"type": "tool_use", "id": "c1", "name": "weather", "input": {"place": "Paris"}},
                    {"type": "tool_use", "id": "c2", "name": "now", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "sunny"}]},
                    {"type": "tool_result", "tool_use_id": "c2", "content": [{"type": "text", "text": "noon"}]},
                    {"type": "text", "text": "And tomorrow?"},
                ],
            },
        ],
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u-1"},
        "output_config": {"effort": "low"},
    }


def test_tools_and_the_choice_among_them_are_said_in_messages() -> None:
    schema = {"type": "object", "properties": {"place": {"type": "string"}}}
    function = {"name": "weather", "description": "The weather", "parameters": schema, "strict": True}
    tools = [{"type": "function", "function": function}, {"type": "function", "function": {"name": "now"}}]
    written = _written(tools=tools, tool_choice="required", parallel_tool_calls=False)
    assert written["tools"] == [
        {"name": "weather", "input_schema": schema, "description": "The weather", "strict": True},
        {"name": "now", "input_schema": {"type": "object", "properties": {}}},
    ]
    assert written["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    named = {"type": "function", "function": {"name": "now"}}
    assert _written(tools=tools, tool_choice=named)["tool_choice"] == {"type": "tool", "name": "now"}
    assert _written(tools=tools, tool_choice="none")["tool_choice"] == {"type": "none"}
    assert "tool_choice" not in _written(tools=tools)


def test_a_schema_for_the_answer_is_said_in_messages() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}, "strict": True}}
    assert _written(response_format=wanted)["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {"type": "object"},
    }
    assert "output_config" not in _written(response_format={"type": "text"})


def test_a_bound_on_the_output_is_always_told() -> None:
    assert _written()["max_tokens"] == 4_096
    assert _written(max_tokens=7)["max_tokens"] == 7
    assert msgspec.json.decode(BY.request(ask("openai-chat"), "claude", 1_000))["max_tokens"] == 1_000


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"temperature": 1.5}, "temperature"),
        ({"n": 2}, "n"),
        ({"seed": 7}, "seed"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0]"),
        ({"tools": [{"type": "function", "function": {"name": "x"}}], "tool_choice": "maybe"}, "tool_choice"),
        ({"something_new": 1}, "something_new"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": "x", "name": "ann"}]}, "messages[0].name"),
        ({"messages": [{"role": "function", "content": "x"}]}, "messages[0].role"),
        ({"messages": ["x"]}, "messages[0]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "ftp://x"}}]}]},
            "messages[0].content[0].image_url.url",
        ),
        (
            {
                "messages": [
                    {
                        "role": "assistant",
                        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "[1]"}}],
                    }
                ]
            },
            "messages[0].tool_calls[0].function.arguments",
        ),
    ],
)
def test_what_messages_cannot_say_is_refused_by_name(more: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        _written(**more)
    assert refused.value.param == param


def test_a_whole_answer_is_a_chat_completion() -> None:
    asked = ask("openai-chat", stream=False)
    asked.created = 1_700_000_000
    whole = BY.answer(provider_answer(BY, asked, SCRIPT), asked)
    completion = ChatCompletion.model_validate_json(whole.body, strict=True)
    choice = completion.choices[0]
    assert choice.message.content == "Grüße, 世界 😀"
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    assert [call.id for call in choice.message.tool_calls] == ["toolu_1", "toolu_2"]
    function = choice.message.tool_calls[0].function  # type: ignore[union-attr]
    assert msgspec.json.decode(function.arguments) == {"place": "Paris", "days": 3}
    assert choice.message.reasoning_content == "Let me think"  # type: ignore[attr-defined]
    assert completion.created == 1_700_000_000
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 11
    assert completion.usage.completion_tokens == SCRIPT.output_tokens
    assert completion.usage.prompt_tokens_details is not None
    assert completion.usage.prompt_tokens_details.cached_tokens == 4
    assert whole.usage == Usage(11, SCRIPT.output_tokens, 4)


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
    ],
)
def test_reasons_to_stop_are_those_of_chat_completions(said: str, heard: str) -> None:
    asked = ask("openai-chat")
    script = Script(finish=said)
    whole = BY.answer(provider_answer(BY, asked, script), asked)
    assert ChatCompletion.model_validate_json(whole.body).choices[0].finish_reason == heard
    assert whole.finish_reason == said
    out = run(BY.stream(asked), [event for event, _ in provider_stream(BY, asked, script)])
    assert documents(out)[-1]["choices"][0]["finish_reason"] == heard


def test_a_stream_is_chunks_of_a_chat_completion_however_it_was_cut() -> None:
    asked = ask("openai-chat", stream_options={"include_usage": True})
    sent = b"".join(event for event, _ in provider_stream(BY, asked, SCRIPT))
    stream = BY.stream(asked)
    out = run(stream, [sent])
    assert stream.ended
    assert events(out)[-1].data == b"[DONE]"
    completion = as_completion(out)
    message = completion.choices[0].message
    assert message.content == "Grüße, 世界 😀"
    assert message.tool_calls is not None
    assert [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls] == [  # type: ignore[union-attr]
        ("toolu_1", "weather", '{"place": "Paris", "days": 3}'),
        ("toolu_2", "now", "{}"),
    ]
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (11, SCRIPT.output_tokens)
    thoughts = [choice["delta"].get("reasoning_content", "") for d in documents(out) for choice in d["choices"]]
    assert "".join(thoughts) == "Let me think"
    for at in range(0, len(sent) + 1, 7):
        assert run(BY.stream(asked), [sent[:at], sent[at:]]) == out
    assert run(BY.stream(asked), [sent[n : n + 1] for n in range(len(sent))]) == out


def test_usage_is_told_only_to_a_client_that_wants_it() -> None:
    asked = ask("openai-chat")
    stream = BY.stream(asked)
    out = run(stream, [event for event, _ in provider_stream(BY, asked, SCRIPT)])
    assert all(document["choices"] for document in documents(out))
    assert stream.usage() == Usage(11, SCRIPT.output_tokens, 4)


def test_a_tool_without_arguments_gets_an_empty_object() -> None:
    asked = ask("openai-chat")
    events_ = [event for event, _ in provider_stream(BY, asked, Script((), (Call("now", "", "t"),)))]
    message = as_completion(run(BY.stream(asked), events_)).choices[0].message
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.arguments == "{}"  # type: ignore[union-attr]


def test_a_stream_left_after_any_event_is_billed_what_was_sent_and_can_be_ended() -> None:
    asked = ask("openai-chat")
    sent = [event for event, _ in provider_stream(BY, asked, SCRIPT)]
    stream, out = BY.stream(asked), b""
    for event in sent[:-2]:
        out += stream.feed(event)
        said = ""
        for document in documents(out):
            delta = document["choices"][0]["delta"]
            said += (delta.get("content") or "") + delta.get("reasoning_content", "")
            for call in delta.get("tool_calls", ()):
                said += call["function"].get("name", "") + call["function"]["arguments"]
        assert stream.usage() == Usage(11, estimate(said), 4, estimated=True)
    ending = events(stream.error_event(502, "It broke off."))
    assert msgspec.json.decode(ending[0].data or b"")["error"]["message"] == "It broke off."
    assert ending[-1].data == b"[DONE]"


def test_a_block_that_chat_completions_do_not_know_is_malformed() -> None:
    asked = ask("openai-chat")
    strange = {"type": "hologram", "data": "x"}
    answer = {"id": "m", "content": [strange], "usage": {"input_tokens": 1, "output_tokens": 1}}
    with pytest.raises(Malformed):
        BY.answer(msgspec.json.encode(answer), asked)
    stream = BY.stream(asked)
    event = {"type": "content_block_start", "index": 0, "content_block": strange}
    stream.feed(b"data: " + msgspec.json.encode(event) + b"\n\n")
    assert stream.failure is not None


def test_arguments_nested_without_end_are_the_clients_mistake() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "[" * 100_000}}
    asked = ask("openai-chat", messages=[{"role": "assistant", "tool_calls": [call]}])
    with pytest.raises(BadRequest) as refused:
        BY.request(asked, "claude")
    assert refused.value.param == "messages[0].tool_calls[0].function.arguments"
