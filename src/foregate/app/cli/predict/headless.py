"""`foregate predict headless`: what the model foresees in runs without sockets."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from foregate.app.cli.predict.parallel import Jobs, in_parallel
from foregate.app.cli.refusal import EXIT_RUNTIME, EXIT_USAGE

ModelFile = Annotated[Path | None, typer.Option("--model", help="A model file; default: the bundled one.")]


def register(app: typer.Typer) -> None:
    app.command("headless")(headless)


def headless(
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Runs with a gradual fault, and as many without.")] = 20,
    first: Annotated[int, typer.Option(help="The first seed; those below 1000 served development.")] = 1000,
    threshold: Annotated[
        float | None, typer.Option(min=0.01, max=0.99, help="Alert from this score on; default: the budget's.")
    ] = None,
    model: ModelFile = None,
    jobs: Jobs = 2,
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the result as JSON here.")] = None,
) -> None:
    """Show, without sockets and in virtual time, which gradual faults are foreseen, and what is alarmed for nothing."""
    from foregate.app.headless import RUN_S, demonstrate
    from foregate.predict import ModelError, bundled_path, load_model
    from foregate.predict.evaluate.demonstration import showing, table

    path = model or bundled_path()
    try:
        version = load_model(path).version
    except ModelError as error:
        typer.echo(f"foregate predict: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from error
    if out is not None:
        with _refusal(EXIT_USAGE):
            out.parent.mkdir(parents=True, exist_ok=True)  # not after the runs
    numbers = range(first, first + seeds)
    run = partial(demonstrate, model_path=path, threshold=threshold)
    faulty = in_parallel(partial(run, calm=False), numbers, jobs, "runs with a gradual fault")
    calm = in_parallel(partial(run, calm=True), numbers, jobs, "runs without a fault")
    result = showing(version, threshold, list(faulty.values()), list(calm.values()), RUN_S)
    typer.echo(table(result))
    if out is not None:
        with _refusal(EXIT_RUNTIME):
            out.write_bytes(msgspec.json.format(msgspec.json.encode(result)))


@contextmanager
def _refusal(status: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        typer.echo(f"foregate predict headless: {error}", err=True)
        raise typer.Exit(status) from error
