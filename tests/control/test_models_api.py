"""GET /models, /models/card and POST /models/rollback, on the registry that the analyzer and the learner work with."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from tests.control.world import NOW_S, Console, console, world

from foregate.adapters.embedded.models import EmbeddedModels
from foregate.app.models.desk import ModelDesk
from foregate.app.models.serving import promoted
from foregate.kernel.clock import ManualClock
from foregate.wire.models import InForce, Learning, ModelEntry, Shift


@pytest.fixture
def registry(tmp_path: Path) -> EmbeddedModels:
    made = EmbeddedModels(tmp_path / "models")
    for number, better in enumerate((True, False, True), start=1):
        entry = ModelEntry("shop", f"v{number}", 100.0 * number, 0.0, 90.0, "ab", 3, better, f"reason {number}")
        made.add(entry, {"model.fgm": b"abc", "card.json": json.dumps({"model_version": entry.version}).encode()})
        if better:
            made.change("shop", lambda serving, entry=entry: promoted(serving, entry, entry.made_s))
    made.put_learning("shop", Learning(300.0, "promoted", "better than all others", 20.0, 31, 4, "v3", 61.5))
    made.put_shift("shop", Shift(310.0, "v3", "drifting", ("12% of what it heeds …",), 5_000))
    made.put_in_force([InForce("quiet", "f1-bundled", 1.0), InForce("shop", "v1", 2.0, "model v3 is damaged")])
    return made


@pytest.fixture
def served(tmp_path: Path, registry: EmbeddedModels) -> Iterator[Console]:
    with world(tmp_path) as here, console(here.deps(models=ModelDesk(registry, ManualClock(NOW_S)))) as made:
        yield made


def post(served: Console, **command: object) -> tuple[int, dict[str, object]]:
    headers = {"Content-Type": "application/json"}
    answer = served.ask("/api/v1/models/rollback", "POST", headers=headers, body=msgspec.json.encode(command))
    return answer.status, answer.json()


def test_who_serves_who_judges_why_they_differ_and_each_card_are_told(served: Console) -> None:
    found = served.get("/models")
    assert found["fixed"] is None
    quiet, shop = found["orgs"]
    assert (quiet["org"], quiet["serving"], quiet["judged_by"]) == ("quiet", "bundled", "f1-bundled")
    assert (shop["serving"], shop["judged_by"], shop["note"]) == ("v3", "v1", "model v3 is damaged")
    assert [(each["version"], each["state"]) for each in shop["models"]] == [
        ("v3", "serving"),
        ("v2", "refused"),
        ("v1", "kept"),
    ]
    assert [(each["version"], each["before"]) for each in shop["changes"]] == [("v3", "v1"), ("v1", "bundled")]
    assert shop["learning"]["sentence"] == "better than all others"
    assert (shop["shift"]["state"], shop["shift"]["rows"]) == ("drifting", 5_000)
    assert served.get("/models/card?org=shop&version=v2") == {"version": "v2", "card": {"model_version": "v2"}}
    names = ("v9", "..", ".lock", "current.json", quote("é" * 200), "a%2Fb")
    for query in (
        *(f"org=shop&version={name}" for name in names),
        "org=..&version=v2",
        f"org={quote('é' * 200)}&version=v2",
    ):
        assert served.ask(f"/api/v1/models/card?{query}").status == 404, query


def test_what_is_damaged_is_said_and_hides_nothing_else(served: Console, tmp_path: Path) -> None:
    (tmp_path / "models" / "shop" / "v1" / "card.json").write_text("{")
    assert served.ask("/api/v1/models/card?org=shop&version=v1").status == 503
    (tmp_path / "models" / "in_force.json").write_text("{")
    (shop,) = served.get("/models")["orgs"]
    assert (shop["serving"], shop["judged_by"]) == ("v3", None)
    assert "in_force.json is damaged" in shop["note"]


def test_a_rollback_is_in_the_registry_and_what_cannot_be_is_refused(served: Console, registry: EmbeddedModels) -> None:
    assert post(served, org="shop", note="too loud") == (200, {"org": "shop", "version": "v1", "since_s": NOW_S})
    change = registry.serving("shop").changes[-1]
    assert (change.by, change.reason, change.before) == ("console", "too loud", "v3")
    assert served.get("/models")["orgs"][1]["models"][0]["state"] == "withdrawn"
    assert post(served, org="shop", version="v1")[0] == 409
    assert post(served, org="shop", version="v9")[0] == 404
    assert post(served, org="nobody", version="../shop")[0] == 404
    assert post(served, org="", version="v1")[0] == 400
    assert registry.orgs() == ["shop"]


def test_without_an_analyzer_beside_it_the_console_says_so(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as made:
        assert made.ask("/api/v1/models").status == 404
