"""A client of responses is answered by providers of chat completions, and through them by those of messages."""

from typing import Any

import msgspec
import pytest
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
from tests.gateway.ai.formats.streams import ask, documents, events, provider_answer, provider_stream, run, way

from foregate.gateway.ai.formats import FORMATS, BadRequest, translation
from foregate.gateway.ai.formats.format import Name
from foregate.gateway.ai.tokens import estimate
from foregate.gateway.ai.usage import Usage
from foregate.lab.providers import Call, Script

PROVIDERS: tuple[Name, ...] = ("openai-chat", "anthropic-messages")
SCRIPT = Script(
    ("Grüße", ", ", "世界"),
    (Call("weather", '{"place": "Paris"}', "call_1"), Call("now", "{}", "call_2")),
    ("a", " thought"),
    cached_tokens=4,
)
_EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)


def _written(**more: Any) -> dict[str, Any]:
    asked = ask("openai-responses", **{"stream": False, **more})
    written: dict[str, Any] = msgspec.json.decode(way("openai-responses", "openai-chat").request(asked, "gpt"))
    return written


def test_a_conversation_with_tools_is_said_in_chat_completions() -> None:
    schema = {"type": "object", "properties": {}}
    written = _written(
        instructions="Be brief.",
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "And?"},
                    {"type": "input_image", "image_url": "https://x/a"},
                ],
            },
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {
                "type": "message",
                "role": "assistant",
                "id": "m",
                "content": [{"type": "output_text", "text": "I look."}],
            },
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "now", "arguments": "{}"},
            {"type": "function_call", "id": "fc_2", "call_id": "c2", "name": "now", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "noon"},
            {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "night"}]},
        ],
        tools=[{"type": "function", "name": "now", "parameters": schema, "strict": True}],
        tool_choice={"type": "function", "name": "now"},
        max_output_tokens=50,
        reasoning={"effort": "low", "summary": "auto"},
        text={"format": {"type": "json_schema", "name": "x", "schema": schema}},
        store=False,
        include=["reasoning.encrypted_content"],
    )
    call = {"type": "function", "function": {"name": "now", "arguments": "{}"}}
    assert written == {
        "model": "gpt",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "And?"},
                    {"type": "image_url", "image_url": {"url": "https://x/a"}},
                ],
            },
            {
                "role": "assistant",
                "content": "I look.",
                "tool_calls": [{"id": "c1"} | call, {"id": "c2"} | call],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "noon"},
            {"role": "tool", "tool_call_id": "c2", "content": "night"},
        ],
        "max_completion_tokens": 50,
        "tools": [{"type": "function", "function": {"name": "now", "parameters": schema, "strict": True}}],
        "tool_choice": {"type": "function", "function": {"name": "now"}},
        "reasoning_effort": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    }


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "c"}, "conversation"),
        ({"store": True}, "store"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": []}, "input"),
    ],
)
def test_what_chat_completions_cannot_say_is_refused_by_name(more: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        _written(**more)
    assert refused.value.param == param


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_whole_answer_is_a_response(provider: Name) -> None:
    by, asked = way("openai-responses", provider), ask("openai-responses", stream=False)
    whole = by.answer(provider_answer(by, asked, SCRIPT), asked)
    response = Response.model_validate_json(whole.body)
    _check(response)
    assert whole.usage._replace(reasoning=0) == Usage(11, SCRIPT.output_tokens, 4)
    assert whole.model == "real-model"


def _check(response: Response) -> None:
    assert response.output_text == "Grüße, 世界"
    calls = [(item.call_id, item.name, item.arguments) for item in response.output[1:]]  # type: ignore[union-attr]
    assert [(call, name, msgspec.json.decode(arguments)) for call, name, arguments in calls] == [
        ("call_1", "weather", {"place": "Paris"}),
        ("call_2", "now", {}),
    ]
    assert response.status == "completed"
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (11, SCRIPT.output_tokens)
    assert response.usage.input_tokens_details.cached_tokens == 4


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_is_events_of_a_response_however_it_was_cut(provider: Name) -> None:
    by, asked = way("openai-responses", provider), ask("openai-responses")
    sent = b"".join(event for event, _ in provider_stream(by, asked, SCRIPT))
    stream = by.stream(asked)
    out = run(stream, [sent])
    assert stream.ended
    assert stream.usage()._replace(reasoning=0) == Usage(11, SCRIPT.output_tokens, 4)
    said = documents(out)
    assert [document["sequence_number"] for document in said] == list(range(len(said)))
    assert [event.kind.decode() for event in events(out)] == [document["type"] for document in said]
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=[], text_format=omit)
    for document in said:
        state.handle_event(_EVENT.validate_python(document))  # type: ignore[arg-type]
    _check(Response.model_validate(said[-1]["response"]))
    assert b"thought" not in out
    for at in range(0, len(sent) + 1, 11):
        assert run(by.stream(asked), [sent[:at], sent[at:]]) == out


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_left_after_any_event_is_billed_what_was_sent_and_can_be_ended(provider: Name) -> None:
    by, asked = way("openai-responses", provider), ask("openai-responses")
    stream, out = by.stream(asked), b""
    for event, _ in provider_stream(by, asked, SCRIPT)[:-2]:
        out += stream.feed(event)
        said = "".join(document.get("delta", "") for document in documents(out))
        names = [d["item"].get("name", "") for d in documents(out) if d["type"] == "response.output_item.added"]
        assert stream.usage().output == estimate(said + "".join(names))
        assert stream.usage().estimated
        assert stream.begun is bool(said)
    ending = documents(stream.error_event(502, "It broke off."))
    assert ending[0]["type"] == "error"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_that_was_cut_short_is_incomplete(provider: Name) -> None:
    by, asked = way("openai-responses", provider), ask("openai-responses")
    script = Script(finish="length" if provider == "openai-chat" else "max_tokens")
    last = documents(run(by.stream(asked), [event for event, _ in provider_stream(by, asked, script)]))[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_failure_of_the_provider_fails_the_translation_of_the_translation() -> None:
    by, asked = way("openai-responses", "anthropic-messages"), ask("openai-responses")
    for last, kind in ((b"data: {nonsense\n\n", "malformed"), (b"", "truncated")):
        stream = by.stream(asked)
        sent = [event for event, _ in provider_stream(by, asked, SCRIPT)][:4]
        run(stream, [*sent, last])
        assert stream.failure is not None
        assert stream.failure.kind == kind
        assert not stream.ended


def test_pairs_that_nobody_can_translate_have_no_way() -> None:

    assert translation(FORMATS["openai-embeddings"], FORMATS["anthropic-messages"]) is None


def test_an_answer_without_end_and_calls_without_number_are_cut_at_their_bounds() -> None:
    def chunk(delta: dict[str, Any], index: int = 0) -> bytes:
        return b"data: " + msgspec.json.encode({"id": "x", "choices": [{"index": index, "delta": delta}]}) + b"\n\n"

    by = way("openai-responses", "openai-chat")
    stream, piece = by.stream(ask("openai-responses")), chunk({"content": "x" * 65_536})
    for _ in range(140):
        stream.feed(piece)
    assert stream.failure is not None
    calls = [chunk({"tool_calls": [{"index": n, "id": f"c{n}", "function": {"name": "f"}}]}) for n in range(2_000)]
    clients: tuple[Name, ...] = ("openai-responses", "anthropic-messages")
    for client in clients:
        stream = way(client, "openai-chat").stream(ask(client))
        stream.feed(b"".join(calls))
        assert stream.failure is not None
    stream = way("openai-chat", "openai-chat").stream(ask("openai-chat"))
    stream.feed(b"".join(chunk({"content": "x"}, index) for index in range(200)))
    assert stream.failure is not None
