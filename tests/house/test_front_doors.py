"""One front door per plane: its docstring says what it consumes, emits and promises; it exports at most seven names."""

import importlib
from pathlib import Path

import pytest

PLANES = ("http1", "gateway", "telemetry", "predict", "control", "lab")
EXPORTS_MAX = 7


@pytest.mark.parametrize("plane", PLANES)
def test_front_door_says_what_the_plane_consumes_emits_and_promises(plane: str) -> None:
    doc = (importlib.import_module(f"foregate.{plane}").__doc__ or "").lower()
    missing = [word for word in ("consume", "emit", "promise") if word not in doc]
    assert not missing, f"src/foregate/{plane}/__init__.py does not say what it {missing}"


@pytest.mark.parametrize("plane", PLANES)
def test_front_door_exports_at_most_seven_names(plane: str) -> None:
    exported = importlib.import_module(f"foregate.{plane}").__all__
    assert 0 < len(exported) <= EXPORTS_MAX, exported


def test_every_package_has_a_docstring() -> None:
    root = Path(__file__).parents[2] / "src"
    silent = [
        str(init.relative_to(root))
        for init in root.glob("foregate/**/__init__.py")
        if not init.read_text().lstrip().startswith('"""') or len(init.read_text()) < 30
    ]
    assert not silent, f"say what these packages are for: {silent}"
