"""A policy that somebody else has written: installed as a package of its own, found by its entry point."""

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from foregate.app.config import ConfigRefused, load
from foregate.app.config.verify import verified
from foregate.app.extensions import MissingExtension, extensions_of, maker, present_extensions_of
from foregate.gateway.policies.policy import Refuse

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "extensions.md"
TEXT = """\
services: {{a: {{targets: [http://127.0.0.1:1]}}}}
routes:
  - path: /a
    service: a
    policies: {{extensions: [{{name: {name}, settings: {settings}}}]}}
"""


class Asked:
    """The part of a request that the example looks at."""

    path = b"/coffee"

    def header(self, name: bytes) -> bytes | None:
        return b"coffee" if name == b"x-drink" else None


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package of the guide, as pip would lay it out: the module, and what its metadata say."""
    code = GUIDE.read_text().split("```python\n", 1)[1].split("```", 1)[0]
    site = tmp_path / "site"
    site.mkdir()
    (site / "teapot.py").write_text(code)
    (site / "broken.py").write_text("raise RuntimeError('no')\n")
    (site / "refusing.py").write_text(
        "class Policy:\n    def __init__(self, settings):\n        raise OSError('no list')\n"
    )
    metadata = site / "teapot-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: teapot\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[foregate.policies]\nteapot = teapot:Teapot\nbroken = broken:Broken\nrefusing = refusing:Policy\n"
    )
    monkeypatch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    yield site
    for name in ("teapot", "broken", "refusing"):
        sys.modules.pop(name, None)


def refused(folder: Path, name: str, settings: str = "{}") -> str:
    file = folder / "foregate.yaml"
    file.write_text(TEXT.format(name=name, settings=settings))
    with pytest.raises(ConfigRefused) as caught:
        verified(load(file, {}), b"pepper")
    (problem,) = caught.value.problems
    return str(problem)


def test_the_policy_of_the_guide_is_found_made_and_judges(installed: Path, tmp_path: Path) -> None:
    file = tmp_path / "foregate.yaml"
    file.write_text(TEXT.format(name="teapot", settings="{drinks: [coffee]}"))
    snapshot = verified(load(file, {}), b"pepper")
    policy = extensions_of(snapshot)["teapot"]({"drinks": ["coffee"]})
    verdict = policy.admit(Asked())  # type: ignore[arg-type]
    assert isinstance(verdict, Refuse)
    assert verdict.code == "forbidden"
    assert policy.name == "teapot"
    assert maker("teapot")({"drinks": ["tea"]}).admit(Asked()) is None  # type: ignore[arg-type]


def test_only_what_is_named_is_imported(installed: Path, tmp_path: Path) -> None:
    maker("teapot")
    assert "teapot" in sys.modules
    assert "broken" not in sys.modules


def test_an_unknown_name_is_refused_with_its_place_and_what_is_installed(installed: Path, tmp_path: Path) -> None:
    problem = refused(tmp_path, "teapod")
    assert "foregate.yaml:5: routes[0].policies.extensions[0]: there is no policy" in problem
    assert "installed: broken, refusing, teapot" in problem


def test_settings_that_do_not_fit_are_refused_in_the_words_of_their_struct(installed: Path, tmp_path: Path) -> None:
    assert "Expected `array`" in refused(tmp_path, "teapot", "{drinks: coffee}")
    assert "unknown field `drink`" in refused(tmp_path, "teapot", "{drink: [x]}")


def test_a_module_that_cannot_be_imported_is_refused(installed: Path, tmp_path: Path) -> None:
    assert "cannot be imported" in refused(tmp_path, "broken")
    with pytest.raises(MissingExtension):
        maker("broken")


def test_where_one_cannot_be_had_everything_it_guards_is_refused_and_the_rest_is_served(
    installed: Path, tmp_path: Path
) -> None:
    file = tmp_path / "foregate.yaml"
    file.write_text(TEXT.format(name="teapot", settings="{drinks: [coffee]}"))
    snapshot = verified(load(file, {}), b"pepper")
    sys.modules.pop("teapot")
    (installed / "teapot.py").unlink()
    with pytest.raises(MissingExtension):
        extensions_of(snapshot)
    made, missing = present_extensions_of(snapshot)
    assert "cannot be imported" in str(missing["teapot"])
    verdict = made["teapot"]({"drinks": ["coffee"]}).admit(Asked())  # type: ignore[arg-type]
    assert isinstance(verdict, Refuse)
    assert verdict.code == "internal"


def test_a_module_that_was_installed_a_moment_ago_is_found(installed: Path) -> None:
    with pytest.raises(MissingExtension):
        maker("broken")  # the folder has been listed
    before = installed.stat()
    (installed / "late.py").write_text("class Late:\n    name = ''\n    def __init__(self, settings): ...\n")
    points = installed / "teapot-1.0.dist-info" / "entry_points.txt"
    points.write_text(points.read_text() + "late = late:Late\n")
    os.utime(installed, ns=(before.st_atime_ns, before.st_mtime_ns))  # within one tick of the file system's clock
    try:
        assert maker("late")({}).name == "late"
    finally:
        sys.modules.pop("late", None)


def test_whatever_a_policy_raises_when_it_is_made_it_is_refused(installed: Path, tmp_path: Path) -> None:
    assert "cannot be made: OSError('no list')" in refused(tmp_path, "refusing")
