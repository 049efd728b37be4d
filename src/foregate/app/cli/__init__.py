"""The command line: `foregate <noun> <verb>`. Exit status 0 ok, 1 findings, 2 usage or configuration, 3 runtime."""

import importlib
import sys

import typer

from foregate import __version__

_VERBS = {"up": ("up", "console-link"), "demo": ("demo",), "serve": ("serve",), "import_": ("import",)}
_NOUNS = ("blocks", "cache", "canary", "config", "data", "keys", "predict")
_KNOWN = {"version", *_NOUNS, *(command for commands in _VERBS.values() for command in commands)}

app = typer.Typer(
    name="foregate",
    help="An API gateway that sees failures coming.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    """With one command alone Typer would leave out its name."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Entry point of the `foregate` script."""
    _register(sys.argv[1] if len(sys.argv) > 1 else "")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


def _register(asked: str) -> None:
    """The command that is asked for, or all where it is none of them: to import all takes as long as to start."""
    for module, commands in _VERBS.items():
        if asked in commands or asked not in _KNOWN:
            importlib.import_module(f"{__name__}.{module}").register(app)
    for noun in _NOUNS:
        if asked == noun or asked not in _KNOWN:
            app.add_typer(importlib.import_module(f"{__name__}.{noun}").app, name=noun)
            if noun == "config":
                importlib.import_module(f"{__name__}.replay")  # one more of its commands
