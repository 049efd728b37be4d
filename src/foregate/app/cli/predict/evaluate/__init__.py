"""`foregate predict evaluate …`: the honest protocol on recordings, lab worlds, endpoint checks and labelled series."""

import importlib

import typer

_app = typer.Typer(help="Judge predictions honestly, on data of your own too.", no_args_is_help=True)

for _source in ("recorded", "lab", "checks", "labelled"):
    importlib.import_module(f"foregate.app.cli.predict.evaluate.{_source}").register(_app)


def register(app: typer.Typer) -> None:
    app.add_typer(_app, name="evaluate")
