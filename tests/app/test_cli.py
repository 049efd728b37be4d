"""The command line imports what is asked for alone."""

import sys

import pytest
import typer
from typer.main import get_command

from foregate.app import cli


def registered(asked: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    monkeypatch.setattr(cli, "app", typer.Typer(callback=cli._root))
    cli._register(asked)
    return set(get_command(cli.app).commands)  # type: ignore[attr-defined]


def test_every_command_is_known_by_the_name_that_somebody_types(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = registered("--help", monkeypatch)
    assert everything | {"version"} == cli._KNOWN
    for name in everything:
        assert name in registered(name, monkeypatch), name


@pytest.mark.parametrize("asked", ["version", "keys"])
def test_what_is_not_asked_for_is_not_imported(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "foregate.app.cli.predict", raising=False)
    registered(asked, monkeypatch)
    assert "foregate.app.cli.predict" not in sys.modules
