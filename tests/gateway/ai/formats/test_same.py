"""A client of the provider's own format gets its bytes, in whole events; we learn from them what is billed."""

import random

import msgspec
import pytest
from tests.gateway.ai.formats.streams import (
    REQUESTS,
    ask,
    documents,
    events,
    provider_answer,
    provider_stream,
    run,
    way,
)

from foregate.gateway.ai.formats import FORMATS, Asked, BadRequest, Malformed
from foregate.gateway.ai.formats.format import Name
from foregate.gateway.ai.formats.openai_chat import content_tokens
from foregate.gateway.ai.tokens import estimate
from foregate.gateway.ai.usage import Prices, Usage, cost
from foregate.lab.providers import Call, Script

STREAMED: tuple[Name, ...] = ("openai-chat", "openai-completions", "openai-responses", "anthropic-messages")
SCRIPT = Script(("Grüße", ", ", "世界", "! ", "😀"), cached_tokens=4)


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_passes_byte_for_byte_however_it_was_cut(name: Name) -> None:
    by, asked = way(name, name), ask(name, **({"stream_options": {"include_usage": True}} if "chat" in name else {}))
    asked.usage_wanted = True
    sent = b"".join(event for event, _ in provider_stream(by, asked, SCRIPT))
    for at in range(len(sent) + 1):
        stream = by.stream(asked)
        assert run(stream, [sent[:at], sent[at:]]) == sent
        assert stream.ended
        assert stream.failure is None
    stream = by.stream(asked)
    assert run(stream, [bytes([byte]) for byte in sent]) == sent
    assert stream.usage() == Usage(11, 5, 4)
    assert stream.deltas == 5
    assert stream.model == "real-model"
    assert stream.finish_reason in ("stop", "end_turn", "completed")


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_left_after_any_event_is_billed_what_was_sent_and_ends_in_an_error(name: Name) -> None:
    by, asked = way(name, name), ask(name)
    sent = provider_stream(by, asked, SCRIPT)
    said = ""
    stream = by.stream(asked)
    pieces = iter(SCRIPT.pieces)
    for event, has_tokens in sent[:-3]:
        stream.feed(event)
        said += next(pieces) if has_tokens else ""
        usage = stream.usage()
        assert usage.estimated
        assert usage.output == estimate(said)
        assert usage.input == (11 if name == "anthropic-messages" else asked.input_tokens)
        assert stream.begun is bool(said)
    ending = stream.error_event(502, "The provider broke off.", "upstream_truncated")
    assert "The provider broke off." in str(documents(ending))
    assert stream.finish() == b""
    assert stream.failure is not None
    assert stream.failure.kind == "truncated"


def _said(name: Name, out: bytes) -> str:
    """The text in the events of a stream."""
    texts = []
    for document in documents(out):
        if name == "openai-chat":
            texts += [choice["delta"].get("content") or "" for choice in document["choices"]]
        elif name == "openai-completions":
            texts += [choice["text"] for choice in document["choices"]]
        elif document["type"].endswith("delta"):
            delta = document["delta"]
            texts.append(delta if isinstance(delta, str) else delta.get("text", ""))
    return "".join(texts)


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_that_stops_at_any_byte_is_billed_what_was_sent_and_half_an_event_is_not_sent(name: Name) -> None:
    by, asked = way(name, name), ask(name)
    script = Script(SCRIPT.pieces, usage=False)
    sent = b"".join(event for event, _ in provider_stream(by, asked, script))
    for at in range(len(sent)):
        stream = by.stream(asked)
        out = stream.feed(sent[:at])
        assert stream.usage().output == estimate(_said(name, out))
        assert stream.begun is bool(_said(name, out))


@pytest.mark.parametrize("name", STREAMED)
def test_usage_that_the_provider_omits_is_our_own_count_and_marked(name: Name) -> None:
    by, asked = way(name, name), ask(name)
    script = Script(SCRIPT.pieces, usage=False)
    stream = by.stream(asked)
    run(stream, [event for event, _ in provider_stream(by, asked, script)])
    assert stream.ended
    assert stream.usage() == Usage(asked.input_tokens, estimate("".join(script.pieces)), estimated=True)
    whole = by.answer(provider_answer(by, asked, script), asked)
    assert whole.usage == stream.usage()


@pytest.mark.parametrize("name", STREAMED)
@pytest.mark.parametrize(
    "bad", [b"data: {not json\n\n", b'data: {"choices": 1, "delta": 1, "usage": -1}\n\n', b"data: \xff\n\n"]
)
def test_a_malformed_event_fails_the_stream_and_nothing_of_it_is_sent(name: Name, bad: bytes) -> None:
    by, asked = way(name, name), ask(name)
    sent = [event for event, _ in provider_stream(by, asked, SCRIPT)]
    stream = by.stream(asked)
    out = run(stream, [*sent[:4], bad, *sent[4:]])
    assert out == b"".join(sent[:4])
    assert stream.failure is not None
    assert stream.failure.kind == "malformed"
    assert not stream.ended


@pytest.mark.parametrize("name", STREAMED)
def test_an_error_that_the_provider_tells_in_its_stream_is_a_failure_in_its_words(name: Name) -> None:
    by, asked = way(name, name), ask(name)
    stream = by.stream(asked)
    stream.feed(FORMATS[name].error_event(529, "Overloaded", "overloaded_error"))
    assert stream.failure is not None
    assert stream.failure.kind == "told"
    assert stream.failure.message == "Overloaded"
    assert not stream.begun


def test_the_usage_that_only_we_asked_for_does_not_reach_the_client() -> None:
    by, asked = way("openai-chat", "openai-chat"), ask("openai-chat")
    stream = by.stream(asked)
    out = run(stream, [event for event, _ in provider_stream(by, asked, SCRIPT)])
    assert all(document["choices"] for document in documents(out))
    assert events(out)[-1].data == b"[DONE]"
    assert not stream.usage().estimated


def test_a_provider_that_closes_without_the_last_word_has_it_added_where_the_answer_was_complete() -> None:
    for name, end in (("openai-chat", b"data: [DONE]\n\n"), ("anthropic-messages", b"event: message_stop\n")):
        by, asked = way(name, name), ask(name)
        sent = [event for event, _ in provider_stream(by, asked, SCRIPT)]
        stream = by.stream(asked)
        assert end in run(stream, sent[:-1])
        assert stream.ended


def test_usage_told_before_the_end_is_not_billed_for_what_came_after() -> None:
    by, asked = way("openai-chat", "openai-chat"), ask("openai-chat")
    stream = by.stream(asked)
    early = {
        "choices": [{"index": 0, "delta": {"content": "one"}}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1},
    }
    later = {"choices": [{"index": 0, "delta": {"content": " two three"}}]}
    stream.feed(b"".join(b"data: " + msgspec.json.encode(each) + b"\n\n" for each in (early, later)))
    assert stream.usage() == Usage(5, estimate("one two three"), estimated=True)


@pytest.mark.parametrize("name", list(REQUESTS))
def test_a_request_keeps_everything_but_the_models_name(name: Name) -> None:
    by = way(name, name)
    asked = ask(name, seed=7, something={"new": [1.5, None, True]})
    written = msgspec.json.decode(by.request(asked, "real-model"))
    options = {"include_usage": True}
    expected = asked.document | {"model": "real-model"}
    if name in ("openai-chat", "openai-completions"):
        expected["stream_options"] = options
    assert written == expected


def test_of_a_name_that_comes_twice_the_provider_sees_the_one_that_was_checked() -> None:
    body = b'{"model":"cheap","model":"dear","messages":[{"role":"user","content":"x"}]}'
    asked = FORMATS["openai-chat"].read(body)
    assert asked.model == "dear"
    assert way("openai-chat", "openai-chat").request(asked, "real").count(b'"model"') == 1


@pytest.mark.parametrize(
    ("name", "body", "param"),
    [
        ("openai-chat", b"{", ""),
        ("openai-chat", b"[]", ""),
        ("openai-chat", b'{"messages": []}', "model"),
        ("openai-chat", b'{"model": "m", "messages": []}', "messages"),
        ("openai-chat", b'{"model": "m", "messages": [1], "stream": "yes"}', "stream"),
        ("openai-chat", b'{"model": "m", "messages": [1], "n": true}', "n"),
        ("openai-chat", b'{"model": "m", "messages": [1], "max_tokens": -1}', "max_tokens"),
        ("openai-completions", b'{"model": "m"}', "prompt"),
        ("openai-embeddings", b'{"model": "m", "input": [{}]}', "input"),
        ("openai-responses", b'{"model": "m", "input": "x", "background": true}', "background"),
        ("anthropic-messages", b'{"model": "m", "messages": [1]}', "max_tokens"),
        ("openai-chat", b'{"model": "\\ud800", "messages": [1]}', ""),
        ("openai-chat", b"[" * 100_000, ""),
    ],
)
def test_a_request_that_cannot_be_read_is_refused_by_the_name_of_its_parameter(
    name: Name, body: bytes, param: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        FORMATS[name].read(body)
    assert refused.value.param == param
    error = msgspec.json.decode(FORMATS[name].error_body(400, refused.value.sentence, "", param))["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"]


def test_bounds_of_the_output_are_read_as_each_format_says_them() -> None:
    assert ask("openai-chat", max_tokens=5, n=3).choices == 3
    assert ask("openai-chat", max_tokens=5, max_completion_tokens=6).output_tokens_max == 6
    assert ask("openai-chat").output_tokens_max is None
    asked = ask("openai-completions", prompt=["a", "b"], n=2, best_of=3)
    assert (asked.choices, asked.output_tokens_max) == (6, 16)
    assert ask("openai-embeddings").output_tokens_max == 0
    assert ask("openai-responses", max_output_tokens=9).output_tokens_max == 9


@pytest.mark.parametrize("name", list(REQUESTS))
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"not json", b'{"error": {"message": "no"}}', b"\xff\xfe"])
def test_an_answer_that_is_none_is_malformed(name: Name, body: bytes) -> None:
    with pytest.raises(Malformed):
        way(name, name).answer(body, ask(name))


def test_whole_answers_are_passed_on_with_their_usage() -> None:
    for name in REQUESTS:
        by, asked = way(name, name), ask(name)
        body = provider_answer(by, asked, SCRIPT)
        whole = by.answer(body, asked)
        assert whole.body == body
        assert whole.model == "real-model"
        assert whole.usage == (Usage(11, 0) if name == "openai-embeddings" else Usage(11, 5, 4))


def test_every_part_of_a_prompt_is_counted() -> None:
    short = ask("openai-chat").input_tokens
    tool = {"type": "function", "function": {"name": "weather", "description": "The weather of a place"}}
    assert ask("openai-chat", tools=[tool]).input_tokens > short + 10
    assert content_tokens([{"type": "image_url", "image_url": {"url": "https://x"}}]) == 1_000
    assert content_tokens([{"type": "tool_result", "content": [{"type": "text", "text": "word " * 100}]}]) > 80
    assert (
        ask("anthropic-messages", system="Be brief. " * 20).input_tokens > ask("anthropic-messages").input_tokens + 40
    )
    assert (
        ask(
            "openai-responses", input=[{"role": "user", "content": [{"type": "input_text", "text": "word " * 50}]}]
        ).input_tokens
        > 40
    )
    assert ask("openai-embeddings", input=[[1, 2, 3], [4]]).input_tokens == 4


def test_cost_is_by_the_million_and_cached_input_may_be_cheaper() -> None:
    usage = Usage(1_000_000, 100_000, cached=400_000, cache_written=100_000)
    assert cost(usage, Prices(2.0, 10.0)) == pytest.approx(3.0)
    assert cost(usage, Prices(2.0, 10.0, cached=0.5, cache_written=2.5)) == pytest.approx(1.0 + 0.2 + 0.25 + 1.0)


def test_garbage_in_streams_is_a_failure_and_never_an_exception() -> None:
    rng = random.Random(5)
    for name in STREAMED:
        by, asked = way(name, name), ask(name)
        script = Script(SCRIPT.pieces, (Call("f", '{"a": 1}'),))
        sent = b"".join(event for event, _ in provider_stream(by, asked, script))
        for _ in range(300):
            bent = bytearray(sent)
            for _ in range(rng.randint(1, 6)):
                bent[rng.randrange(len(bent))] = rng.randrange(256)
            stream = by.stream(asked)
            out = run(stream, [bytes(bent)])
            assert stream.ended != (stream.failure is not None)
            stream.usage()
            assert bytes(bent).startswith(out[:20])


@pytest.mark.parametrize("depth", [100, 300, 450, 480])
def test_parts_within_parts_within_parts_are_refused_or_carried_and_never_break(depth: int) -> None:
    part = '{"type":"tool_result","content":[' * depth + "1" + "]}" * depth
    body = f'{{"model":"m","max_tokens":4,"messages":[{{"role":"user","content":[{part}]}}],"tools":[{part}]}}'

    def deep(frames: int) -> None:
        if frames:
            deep(frames - 1)
            return
        for name in ("openai-chat", "anthropic-messages"):
            try:
                assert ask_raw(name, body).input_tokens > 0
                way(name, name).request(ask_raw(name, body), "real")
            except BadRequest:
                continue

    for frames in (0, 60, 120):
        deep(frames)


def ask_raw(name: Name, body: str) -> Asked:
    return FORMATS[name].read(body.encode())


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"error": {"message": "no", "type": "t", "code": "c", "param": "p"}}', ("no", "c", "p")),
        (b'{"type": "error", "error": {"type": "overloaded_error", "message": "no"}}', ("no", "overloaded_error", "")),
        (b'{"object": "error", "message": "no", "code": 400}', ("no", "400", "")),
        (b'{"error": "no"}', ("no", "", "")),
        (b'{"detail": "no"}', ("no", "", "")),
        (b"<html>no</html>", ("<html>no</html>", "", "")),
        (b"", ("The provider gave no reason.", "", "")),
        (b'{"error": {"message": 7}}', ("The provider gave no reason.", "", "")),
    ],
)
def test_errors_of_providers_are_read_in_all_the_shapes_they_come_in(body: bytes, told: tuple[str, str, str]) -> None:
    assert tuple(FORMATS["openai-chat"].read_error(body)) == told
    assert tuple(FORMATS["anthropic-messages"].read_error(body)) == told


@pytest.mark.parametrize(
    ("status", "openai_type", "anthropic_type"),
    [
        (400, "invalid_request_error", "invalid_request_error"),
        (401, "authentication_error", "authentication_error"),
        (404, "invalid_request_error", "not_found_error"),
        (429, "rate_limit_error", "rate_limit_error"),
        (502, "server_error", "api_error"),
        (504, "server_error", "timeout_error"),
    ],
)
def test_errors_of_ours_have_the_kinds_of_the_clients_language(
    status: int, openai_type: str, anthropic_type: str
) -> None:
    error = msgspec.json.decode(FORMATS["openai-chat"].error_body(status, "no", "our_code", "model"))["error"]
    assert error == {"message": "no", "type": openai_type, "param": "model", "code": "our_code"}
    document = msgspec.json.decode(FORMATS["anthropic-messages"].error_body(status, "no"))
    assert document["type"] == "error"
    assert document["error"] == {"type": anthropic_type, "message": "no"}
