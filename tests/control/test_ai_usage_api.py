"""GET /ai/usage over real stores."""

from pathlib import Path
from random import Random

import msgspec
from tests.control.world import NOW_S, console, make_event, world

from foregate.wire.event import AiUsage, RequestEvent


def _used(key: str, model: str, tokens: int) -> RequestEvent:
    said = AiUsage("chat", "openai", model, model, tokens, 1, 0, tokens / 1_000, False, 1.0, 1.0, False, "stop")
    made = make_event(Random(1), "ai", NOW_S - 30, 10.0)
    return msgspec.structs.replace(made, key_id=key, ai=said)


def test_keys_and_models_are_listed_by_what_they_cost(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        assert served.get("/ai/usage")["used"] == []
        here.feed([_used("k1", "gpt", 100), _used("k2", "gpt", 5_000), _used("k1", "mini", 10)])
        answer = served.get("/ai/usage?range_s=3600")
        assert [(row["name"], row["requests"], row["input_tokens"]) for row in answer["used"]] == [
            ("k2", 1, 5_000),
            ("k1", 2, 110),
        ]
        assert (answer["total"]["requests"], answer["total"]["cost"]) == (3, 5.11)
        by_model = served.get("/ai/usage?range_s=3600&by=model")
        assert [row["name"] for row in by_model["used"]] == ["openai/gpt", "openai/mini"]
        assert served.get("/ai/usage?by=phase", 400)["code"] == "invalid_parameter"
