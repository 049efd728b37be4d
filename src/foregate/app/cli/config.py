"""`foregate config`: look at a configuration without starting anything."""

import json
from pathlib import Path

import typer

from foregate.app.cli.refusal import refusals
from foregate.app.cli.up import ConfigFile
from foregate.app.config import Config, load
from foregate.app.config.document import default_environ
from foregate.app.launch import default_file

app = typer.Typer(help="Check a configuration, or print its schema.", no_args_is_help=True)


@app.command()
def check(config: ConfigFile = None) -> None:
    """Say every problem of a configuration, or that there is none."""
    file: Path | None = config or default_file()
    with refusals():
        loaded = load(file, default_environ())
    found = loaded.config
    counts = f"{len(found.services)} services, {len(found.routes)} routes, {len(found.keys)} keys"
    typer.echo(f"{file or 'the default configuration'} is valid: {counts}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of foregate.yaml."""
    typer.echo(json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False))
