"""Who judges an organisation, and what is said where that is not who should."""

from pathlib import Path
from typing import NamedTuple

import pytest
import structlog
from structlog.testing import capture_logs

from foregate.adapters.embedded.models import EmbeddedModels
from foregate.app.models.choice import LOOK_EVERY_S, Loading, ModelChoice
from foregate.app.models.desk import ModelDesk
from foregate.app.models.serving import promoted
from foregate.kernel.clock import ManualClock
from foregate.kernel.errors import ForegateError
from foregate.wire.models import BUNDLED, ModelEntry


class Model(NamedTuple):
    version: str


class Unusable(Exception):
    """As a model file that cannot be used."""


def decode(content: bytes, name: str) -> Model:
    if content.startswith(b"bad"):
        raise Unusable(f"{name} is damaged")
    return Model(content.decode())


def broken() -> Model:
    raise Unusable("model.fgm was trained on feature version 9")


LOADING = Loading(None, lambda: Model("f1-bundled"), decode, Unusable)


class Desk:
    """A registry with the analyzer on one side and people on the other."""

    def __init__(self, folder: Path, loading: Loading[Model] = LOADING, own_max: int = 32) -> None:
        self.clock, self.store = ManualClock(), EmbeddedModels(folder)
        self.choice = ModelChoice(self.store, loading, self.clock, structlog.get_logger(), own_max=own_max)
        self.desk = ModelDesk(self.store, self.clock)

    def promote(self, version: str, content: str | None = None, org: str = "shop") -> None:
        entry = ModelEntry(org, version, self.clock.now(), 0.0, 1.0, "", 1, better=True, reason="better")
        self.store.add(entry, {"model.fgm": (content or version).encode()})
        self.store.change(org, lambda serving: promoted(serving, entry, self.clock.now()))
        self.clock.advance(60)

    def judges(self, org: str = "shop") -> str:
        """After the analyzer has looked."""
        self.clock.advance(LOOK_EVERY_S)
        self.choice.of(org)
        self.choice.look()
        model = self.choice.of(org)
        return model.version if model is not None else "off"

    def note(self, org: str = "shop") -> str:
        found = next(each.in_force for each in self.desk.all() if each.org == org)
        assert found is not None
        return found.note


def test_the_bundled_model_judges_until_another_is_promoted_and_then_that_without_a_restart(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.judges() == "f1-bundled"
    desk.promote("v1")
    assert desk.judges() == "v1"
    assert (desk.judges("other"), desk.note()) == ("f1-bundled", "")


def test_after_a_rollback_the_one_before_judges_and_then_the_bundled_one(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.promote("v1")
    desk.promote("v2")
    assert desk.judges() == "v2"
    desk.desk.roll_back("shop", None, "cli", "too loud")
    assert desk.judges() == "v1"
    assert desk.desk.roll_back("shop", None, "cli").version == BUNDLED
    assert desk.judges() == "f1-bundled"


def test_a_damaged_model_gives_way_to_the_one_before_it_and_that_is_said(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.promote("v1")
    desk.promote("v2", "bad")
    with capture_logs() as logs:
        assert desk.judges() == "v1"
    assert desk.note() == "model v2 of shop is damaged: v1 judges instead"
    assert [(line["log_level"], line["version"]) for line in logs] == [("error", "v1")]


def test_where_no_own_model_can_be_used_the_bundled_one_judges_and_that_is_said(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.promote("v1", "bad")
    (tmp_path / "shop" / "v1" / "model.fgm").unlink()
    assert desk.judges() == "f1-bundled"
    assert "No such file" in desk.note()
    assert desk.note().endswith("the bundled model judges instead")
    (tmp_path / "shop" / "current.json").write_text("{")
    assert desk.judges() == "f1-bundled"
    assert "current.json is damaged" in desk.note()
    found = next(iter(desk.desk.all()))
    assert "current.json is damaged" in found.note


def test_a_withdrawn_model_never_judges_in_place_of_a_damaged_one(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.promote("v1")
    desk.promote("v2")
    desk.desk.roll_back("shop", None, "cli")
    desk.desk.roll_back("shop", "v2", "cli")
    (tmp_path / "shop" / "v2" / "model.fgm").write_text("bad")
    assert desk.judges() == "f1-bundled"


def test_a_configured_file_judges_everybody_and_nothing_replaces_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, LOADING._replace(fixed=lambda: Model("f1-file")))
    desk.promote("v1")
    assert desk.judges() == "f1-file"
    unusable = Desk(tmp_path, LOADING._replace(fixed=broken))
    assert unusable.judges() == "off"
    assert unusable.note() == "model.fgm was trained on feature version 9: nothing is predicted"
    with pytest.raises(ForegateError, match="model_path is set"):
        ModelDesk(desk.store, desk.clock, "/x.fgm").roll_back("shop", None, "cli")


def test_more_organisations_than_the_bound_are_judged_by_the_bundled_model_and_told_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path, own_max=2)
    for org in ("a", "b", "c"):
        desk.promote(f"v-{org}", org=org)
    assert [desk.judges(org) for org in ("a", "b", "c")] == ["v-a", "v-b", "f1-bundled"]
    assert desk.note("c").startswith("2 organisations have models of their own: there is a bound")
    desk.promote("v2-a", org="a")
    assert desk.judges("a") == "v2-a"
    assert desk.judges("d") == "f1-bundled"
    desk.promote("v-d", org="d")
    assert desk.judges("d") == "f1-bundled"


def test_what_people_are_told_of_an_organisation(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.promote("v1")
    desk.judges()
    desk.judges("quiet")
    quiet, shop = desk.desk.all()
    assert (quiet.org, quiet.entries, shop.serving.version) == ("quiet", (), "v1")
    assert [entry.version for entry in shop.entries] == ["v1"]
    with pytest.raises(ForegateError, match=r"no model v9 of shop"):
        desk.desk.card("shop", "v9")
    with pytest.raises(ForegateError, match=r"no model \.\. of shop"):
        desk.desk.card("shop", "..")


def test_a_folder_that_cannot_be_read_keeps_nobody_from_being_judged(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.promote("v1")
    assert desk.judges() == "v1"
    (tmp_path / "shop").rename(tmp_path / "aside")
    (tmp_path / "shop").symlink_to("shop")  # as unreadable as one of another user, for root as well
    assert desk.judges() == "f1-bundled"
    assert "the bundled model judges instead" in desk.note()
    assert desk.judges("other") == "f1-bundled"
    (tmp_path / "shop").unlink()
    (tmp_path / "aside").rename(tmp_path / "shop")
    assert (desk.judges(), desk.note()) == ("v1", "")


def test_a_model_that_could_not_be_read_judges_once_it_can_and_is_said_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.promote("own-1")
    [file] = tmp_path.rglob("model.fgm")
    away = file.rename(file.with_name("away"))
    with capture_logs() as logs:
        assert [desk.judges() for _ in range(3)] == ["f1-bundled"] * 3
        assert "the bundled model judges instead" in desk.note()
        away.rename(file)
        assert desk.judges() == "own-1"
    assert [log["version"] for log in logs if log["event"] == "model_in_force"] == ["f1-bundled", "own-1"]
    assert desk.note() == ""


def test_who_was_one_too_many_is_judged_by_its_own_model_when_there_is_room(tmp_path: Path) -> None:
    desk = Desk(tmp_path, own_max=1)
    desk.promote("own-1", org="shop")
    desk.promote("own-2", org="late")
    assert (desk.judges("shop"), desk.judges("late")) == ("own-1", "f1-bundled")
    desk.desk.roll_back("shop", None, "cli")
    assert (desk.judges("shop"), desk.judges("late")) == ("f1-bundled", "own-2")


def test_a_configured_file_that_is_not_there_yet_judges_when_it_is(tmp_path: Path) -> None:
    there: list[Model] = []

    def fixed() -> Model:
        if not there:
            raise FileNotFoundError("model.fgm is not there")
        return there[0]

    desk = Desk(tmp_path, LOADING._replace(fixed=fixed))
    assert desk.judges() == "off"
    there.append(Model("f1-mine"))
    assert desk.judges() == "f1-mine"
