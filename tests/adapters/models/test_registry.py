"""The registry of models: what is kept survives kill -9 at any point, damage is said, and there is a bound."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foregate.adapters.embedded.models import EmbeddedModels
from foregate.wire.models import BUNDLED, InForce, Learning, ModelChange, ModelEntry, Serving, Shift, state_of

ENDLESS = """
import sys
from pathlib import Path
from foregate.adapters.embedded.models import EmbeddedModels
from foregate.wire.models import ModelEntry, Serving
store = EmbeddedModels(Path(sys.argv[1]), versions_max=4)
print("ready", flush=True)
for i in range(int(sys.argv[2]), 1_000_000):
    entry = ModelEntry("shop", f"v{i}", float(i), 0.0, float(i), "ab", 3, True, "because")
    store.add(entry, {"model.fgm": f"v{i}".encode() * 20_000, "card.md": b"#"})
    store.change("shop", lambda serving: Serving(f"v{i}", float(i)))
    print("written", flush=True)
"""


def entry(version: str, made_s: float = 1.0, *, better: bool = True, org: str = "shop") -> ModelEntry:
    return ModelEntry(org, version, made_s, 0.0, made_s, "ab", 3, better, "because")


def promoted(serving: Serving, version: str, at_s: float) -> Serving:
    change = ModelChange(at_s, version, serving.version, "learning", "better")
    return Serving(version, at_s, (*serving.changes, change))


def test_an_organisation_that_nobody_trained_for_is_served_by_the_bundled_model(tmp_path: Path) -> None:
    store = EmbeddedModels(tmp_path / "models")
    assert store.serving("shop") == Serving(BUNDLED)
    assert not store.orgs()
    assert not store.entries("shop")
    assert store.learning("shop") is store.shift("shop") is None
    assert not store.in_force()


def test_what_was_added_is_there_for_another_process_with_its_files(tmp_path: Path) -> None:
    EmbeddedModels(tmp_path).add(entry("v1"), {"model.fgm": b"abc", "card.json": b"{}"})
    store = EmbeddedModels(tmp_path)
    assert store.orgs() == ["shop"]
    assert list(store.entries("shop")) == [entry("v1")]
    assert store.read("shop", "v1", "model.fgm") == b"abc"
    with pytest.raises(FileNotFoundError):
        store.read("shop", "v1", "card.md")


def test_a_version_is_no_way_out_of_the_folder(tmp_path: Path) -> None:
    store = EmbeddedModels(tmp_path)
    for org in ("..", ".", "a/b", "../../etc", "ü ñ", ""):
        store.add(entry("v1", org=org or "x"), {"model.fgm": b"abc"})
    assert {path.parent for path in tmp_path.glob("*/v1")} == {path for path in tmp_path.iterdir() if path.is_dir()}
    assert sorted(store.orgs()) == sorted(["..", ".", "a/b", "../../etc", "ü ñ", "x"])
    for version in ("..", ".", "../x", "", "a\0b"):
        with pytest.raises(FileNotFoundError):
            store.read("x", version, "model.fgm")


def test_the_stamp_differs_once_another_model_serves(tmp_path: Path) -> None:
    store = EmbeddedModels(tmp_path)
    before = store.stamp("shop")
    store.change("shop", lambda serving: promoted(serving, "v1", 5.0))
    middle = store.stamp("shop")
    store.change("shop", lambda serving: serving)
    assert before != middle == store.stamp("shop")
    store.change("shop", lambda serving: promoted(serving, "v2", 6.0))
    assert store.stamp("shop") != middle
    assert store.serving("shop").version == "v2"


def test_the_oldest_go_but_never_what_serves_or_served_before(tmp_path: Path) -> None:
    store = EmbeddedModels(tmp_path, versions_max=3)
    for i in range(2):
        store.add(entry(f"v{i}", i), {"model.fgm": b"x"})
        store.change("shop", lambda serving, i=i: promoted(serving, f"v{i}", i))
    gone = [*store.add(entry("bad", 2.0, better=False), {"model.fgm": b"x"})]
    for i in range(3, 6):
        gone += store.add(entry(f"v{i}", i), {"model.fgm": b"x"})
    assert gone == ["bad", "v3", "v4"]
    assert [each.version for each in store.entries("shop")] == ["v5", "v1", "v0"]


def test_damage_is_said_and_hides_nothing_else(tmp_path: Path) -> None:
    store = EmbeddedModels(tmp_path)
    store.add(entry("v1", 1.0), {"model.fgm": b"abc"})
    store.add(entry("v2", 2.0), {"model.fgm": b"abc"})
    (tmp_path / "shop" / "v1" / "entry.json").write_text("{")
    (tmp_path / "shop" / "current.json").write_text("[]")
    good, damaged = store.entries("shop")
    assert good.version == "v2"
    assert damaged.version == "v1"
    assert not damaged.better
    assert "damaged" in damaged.reason
    assert state_of(damaged, Serving()) == "refused"
    with pytest.raises(OSError, match=r"current\.json is damaged"):
        store.serving("shop")
    store.change("shop", lambda serving: promoted(serving, "v2", 3.0))
    assert store.serving("shop").version == "v2"


def test_notes_beside_the_models_come_back_as_they_were(tmp_path: Path) -> None:
    store = EmbeddedModels(tmp_path)
    learning, shift = Learning(1.0, "learning", "learning: 3 of 14 days"), Shift(2.0, "v1", "drifting", ("p95 …",), 9)
    store.put_learning("shop", learning)
    store.put_shift("shop", shift)
    store.put_in_force([InForce("shop", "v1", 3.0)])
    assert (store.learning("shop"), store.shift("shop")) == (learning, shift)
    assert list(store.in_force()) == [InForce("shop", "v1", 3.0)]
    store.put_counts("shop", "v1", b'{"days":[1,2]}')
    assert (store.counts("shop", "v2"), store.counts("quiet", "v1")) == (None, None)
    assert json.loads(store.counts("shop", "v1") or b"") == {"days": [1, 2]}


def test_killed_at_any_point_every_version_is_whole_and_what_serves_is_there(tmp_path: Path) -> None:
    rng, began = random.Random(7), 0
    for _ in range(3):
        argv = [sys.executable, "-c", ENDLESS, str(tmp_path), str(began)]
        child = subprocess.Popen(argv, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE)
        assert child.stdout is not None
        for _ in range(1 + rng.randint(1, 4)):
            assert child.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.02))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        store = EmbeddedModels(tmp_path, versions_max=4)
        entries, serving = store.entries("shop"), store.serving("shop")
        for each in entries:
            assert each.reason == "because"
            assert store.read("shop", each.version, "model.fgm") == each.version.encode() * 20_000
        assert serving.version in {BUNDLED, *(each.version for each in entries)}
        began = max((int(each.version[1:]) for each in entries), default=0) + 1
    assert began >= 3
    store.add(entry(f"v{began}", began), {"model.fgm": b"x"})
    assert not list(tmp_path.glob("shop/.new-*"))
    assert len(store.entries("shop")) <= 5
