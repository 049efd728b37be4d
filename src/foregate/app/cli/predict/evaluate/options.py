"""What all evaluations share: their options, the bar, the files they write, and how they refuse."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from foregate.app.cli.refusal import EXIT_RUNTIME, EXIT_USAGE

Output = Literal["table", "json"]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of all chance: the same seed gives the same bytes.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", file_okay=False, help="Write report.json, report.md and plots into this folder."),
]
Shown = Annotated[Output, typer.Option("--output", "-o", help="What is printed.")]
NoPlots = Annotated[bool, typer.Option("--no-plots", help="Write no pictures (they need matplotlib).")]
Horizons = Annotated[
    list[int] | None,
    typer.Option("--horizon", min=1, max=1440, help="Minutes ahead; default 5, 15 and 60. May repeat."),
]
ModelFile = Annotated[
    Path | None, typer.Option("--model", help="A model file; default: the bundled one.", exists=True, dir_okay=False)
]
NoModel = Annotated[bool, typer.Option("--no-model", help="Judge the simple scores alone.")]
_EXTRA = 'foregate predict {0}: {1} needs {2}: pip install "foregate[train]"'


def seconds_of(horizon: list[int] | None, default: tuple[int, ...]) -> tuple[int, ...]:
    """The horizons that were asked for, each once."""
    return tuple(dict.fromkeys(60 * minutes for minutes in horizon)) if horizon else default


def need(module: str, what: str, command: str = "evaluate") -> None:
    """Exit with a sentence when an extra is missing."""
    if find_spec(module) is None:
        names = {"sklearn": "scikit-learn"}
        typer.echo(_EXTRA.format(command, what, names.get(module, module)), err=True)
        raise typer.Exit(EXIT_USAGE)


@contextmanager
def refusals(*more: type[Exception], command: str = "evaluate") -> Iterator[None]:
    """Bad input (`more`: further kinds of it) is a sentence and status 2; failing underway, and looking ahead, 3."""
    from foregate.adapters.embedded.recorded import BadRecording
    from foregate.predict import ModelError
    from foregate.predict.evaluate.leakage import LooksAhead

    bad_input: tuple[type[Exception], ...] = (BadRecording, FileNotFoundError, ModelError, ValueError, *more)
    try:
        yield
    except bad_input as error:
        typer.echo(f"foregate predict {command}: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from error
    except (LooksAhead, OSError) as error:
        typer.echo(f"foregate predict {command}: {error}", err=True)
        raise typer.Exit(EXIT_RUNTIME) from error


@contextmanager
def bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, moved by `step(done, total)`; silent where stderr is no terminal."""
    with typer.progressbar(length=1000, label=label, file=sys.stderr, show_pos=False) as shown:

        def step(done: int, total: int) -> None:
            shown.update(round(1000 * done / max(total, 1)) - shown.pos)

        yield step


def publish(
    out: Path | None, shown: Output, json: bytes, markdown: str, draw: Callable[[Path], object] | None = None
) -> None:
    """Print one form, and write both, and the pictures, where a folder is given."""
    typer.echo(json.decode() if shown == "json" else markdown)
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_bytes(json + b"\n")
    (out / "report.md").write_text(markdown, encoding="utf-8")
    if draw is not None:
        draw(out)
    typer.echo(f"Written to {out}.", err=True)
