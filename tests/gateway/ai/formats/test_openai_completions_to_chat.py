"""A client of the older completions is answered by providers of chat completions, and through them by Anthropic."""

from typing import Any

import msgspec
import pytest
from openai.types import Completion
from tests.gateway.ai.formats.streams import ask, documents, events, provider_answer, provider_stream, run, way

from foregate.gateway.ai.formats import BadRequest
from foregate.gateway.ai.formats.format import Name
from foregate.gateway.ai.tokens import estimate
from foregate.gateway.ai.usage import Usage
from foregate.lab.providers import Script

PROVIDERS: tuple[Name, ...] = ("openai-chat", "anthropic-messages")
SCRIPT = Script(("Grüße", ", ", "世界"), (), ("a", " thought"), cached_tokens=4)


def _written(**more: Any) -> dict[str, Any]:
    asked = ask("openai-completions", **{"stream": False, **more})
    written: dict[str, Any] = msgspec.json.decode(way("openai-completions", "openai-chat").request(asked, "gpt"))
    return written


def test_a_prompt_is_what_a_user_says() -> None:
    written = _written(prompt=["Once upon"], max_tokens=9, temperature=0.5, stop=["END"], seed=1, n=2, echo=False)
    assert written == {
        "model": "gpt",
        "messages": [{"role": "user", "content": "Once upon"}],
        "max_completion_tokens": 9,
        "temperature": 0.5,
        "stop": ["END"],
        "seed": 1,
        "n": 2,
    }


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"suffix": "end"}, "suffix"),
        ({"echo": True}, "echo"),
        ({"logprobs": 3}, "logprobs"),
        ({"best_of": 3}, "best_of"),
    ],
)
def test_what_chat_completions_cannot_say_is_refused_by_name(more: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        _written(**more)
    assert refused.value.param == param


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_whole_answer_is_a_completion(provider: Name) -> None:
    by, asked = way("openai-completions", provider), ask("openai-completions", stream=False)
    whole = by.answer(provider_answer(by, asked, SCRIPT), asked)
    completion = Completion.model_validate_json(whole.body, strict=True)
    assert completion.choices[0].text == "Grüße, 世界"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == SCRIPT.output_tokens
    assert whole.usage._replace(reasoning=0) == Usage(11, SCRIPT.output_tokens, 4)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("wanted", [True, False])
def test_a_stream_is_pieces_of_a_completion_however_it_was_cut(provider: Name, wanted: bool) -> None:
    by = way("openai-completions", provider)
    asked = ask("openai-completions", stream_options={"include_usage": wanted})
    sent = b"".join(event for event, _ in provider_stream(by, asked, SCRIPT))
    stream = by.stream(asked)
    out = run(stream, [sent])
    assert stream.ended
    assert events(out)[-1].data == b"[DONE]"
    told = [Completion.construct(**each) for each in documents(out)]  # as the client does: null is no reason to finish
    assert "".join(each.choices[0].text for each in told if each.choices) == "Grüße, 世界"
    assert (told[-1].usage is not None) is wanted
    assert stream.usage()._replace(reasoning=0) == Usage(11, SCRIPT.output_tokens, 4)
    for at in range(0, len(sent) + 1, 7):
        assert run(by.stream(asked), [sent[:at], sent[at:]]) == out


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_left_after_any_event_is_billed_what_was_sent(provider: Name) -> None:
    by, asked = way("openai-completions", provider), ask("openai-completions")
    stream, out = by.stream(asked), b""
    for event, _ in provider_stream(by, asked, SCRIPT)[:-3]:
        out += stream.feed(event)
        said = "".join(document["choices"][0]["text"] for document in documents(out))
        assert stream.usage().output == estimate(said)
        assert stream.usage().estimated
