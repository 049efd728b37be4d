"""The command line: `foregate <noun> <verb>`. Exit status 0 ok, 1 findings, 2 usage or configuration, 3 runtime."""

import importlib
import sys

import typer

from foregate import __version__

app = typer.Typer(
    name="foregate",
    help="An API gateway that sees failures coming.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Entry point of the `foregate` script."""
    for noun in ("up", "demo", "serve", "import_"):
        importlib.import_module(f"foregate.app.cli.{noun}").register(app)
    for noun in ("blocks", "cache", "canary", "config", "data", "keys", "predict"):
        app.add_typer(importlib.import_module(f"foregate.app.cli.{noun}").app, name=noun)
    importlib.import_module("foregate.app.cli.replay")  # one more of config's commands
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
