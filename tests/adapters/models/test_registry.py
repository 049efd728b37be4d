"""The registry of models: what is kept survives kill -9 at any point, damage is said, and there is a bound."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foregate.adapters.embedded.models import EmbeddedModels
from foregate.wire.models import BUNDLED, InForce, Learning, ModelChange, ModelEntry, Serving, Shift, state_of


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


def test_killed_before_any_step_every_version_is_whole_and_what_serves_is_there(tmp_path: Path) -> None:
    store = EmbeddedModels(tmp_path, versions_max=2)
    for number in range(3):  # with two more than may be kept, so that making room is interrupted too
        write(store, number)
    steps = 0
    while killed_at(steps, lambda number=3 + steps: write(store, number)):
        entries, serving = store.entries("shop"), store.serving("shop")
        for each in entries:
            assert each.reason == "because", steps
            assert store.read("shop", each.version, "model.fgm") == each.version.encode() * 2_000, steps
        assert serving.version in {each.version for each in entries}, steps
        steps += 1
    assert steps > 8
    write(store, 99)
    assert not list(tmp_path.glob("shop/.new-*"))
    assert store.serving("shop").version == "v99"


def write(store: EmbeddedModels, number: int) -> None:
    """As a promotion does."""
    version = f"v{number}"
    store.add(entry(version, float(number)), {"model.fgm": version.encode() * 2_000, "card.md": b"#"})
    store.change("shop", lambda serving: promoted(serving, version, float(number)))


def killed_at(step: int, work: Callable[[], None]) -> bool:
    """Whether a process that is to be killed before its n-th step towards the disk was; False: it had fewer."""
    child = os.fork()
    if child == 0:
        left = step

        def counted(do: Callable[..., Any]) -> Callable[..., Any]:
            def one(*args: Any, **named: Any) -> Any:
                nonlocal left
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
                return do(*args, **named)

            return one

        for name in ("mkdir", "rename", "replace", "unlink", "rmdir", "fsync"):
            setattr(os, name, counted(getattr(os, name)))
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
