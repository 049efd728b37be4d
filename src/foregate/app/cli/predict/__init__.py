"""`foregate predict …`: train the failure predictor, and show what it is worth. One command per file."""

import importlib

import typer

app = typer.Typer(help="Train and try the failure predictor.", no_args_is_help=True)

for _verb in ("train", "evaluate", "generate", "headless", "learn", "models"):
    importlib.import_module(f"foregate.app.cli.predict.{_verb}").register(app)
