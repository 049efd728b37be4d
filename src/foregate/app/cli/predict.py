"""`foregate predict …`: train the model anew, and show what it foresees in headless runs."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer

app = typer.Typer(help="Train and try the failure predictor.", no_args_is_help=True)
K = TypeVar("K")
T = TypeVar("T")

Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Processes to simulate in.")]
ModelFile = Annotated[Path | None, typer.Option("--model", help="A model file; default: the bundled one.")]


@app.command()
def train(
    runs: Annotated[int, typer.Option(min=20, max=1000, help="Lab hours: three in four to learn, one to judge.")] = 240,
    seed: Annotated[int, typer.Option(min=0, help="Another seed takes other runs.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for model and card; default: the bundled one.")] = None,
    jobs: Jobs = 2,
    recordings: Annotated[
        Path | None, typer.Option(help="Keep the runs here, and take those that are there already.")
    ] = None,
) -> None:
    """Train the predictor on lab runs, judge it on others, and write model and card."""
    from foregate.app.headless import training_examples
    from foregate.predict import bundled_path
    from foregate.predict.models.card import encode_card, render
    from foregate.predict.models.model import MODEL_FILE
    from foregate.predict.plan import plan

    if find_spec("sklearn") is None:
        typer.echo('foregate predict: training needs scikit-learn: pip install "foregate[train]"', err=True)
        raise typer.Exit(2)
    from foregate.predict.make import make

    runs_of = _in_parallel(partial(training_examples, folder=recordings), plan(runs, seed), jobs, "lab hours")
    try:
        made = make(runs_of, seed=seed, command=f"foregate predict train --runs {runs} --seed {seed}")
    except ValueError as error:
        typer.echo(f"foregate predict: {error}", err=True)
        raise typer.Exit(2) from error
    folder = out or bundled_path().parent
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(made.content)
    (folder / "card.json").write_bytes(encode_card(made.card))
    (folder / "card.md").write_text(render(made.card), encoding="utf-8")
    typer.echo(render(made.card))
    typer.echo(f"Written to {folder}.")


@app.command()
def headless(
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Runs with a gradual fault, and as many without.")] = 20,
    first: Annotated[int, typer.Option(help="The first seed; those below 1000 served development.")] = 1000,
    threshold: Annotated[float, typer.Option(min=0.01, max=0.99, help="Alert from this score on.")] = 0.8,
    model: ModelFile = None,
    jobs: Jobs = 2,
    out: Annotated[Path | None, typer.Option(help="Write the result as JSON here.")] = None,
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
        raise typer.Exit(2) from error
    numbers = range(first, first + seeds)
    run = partial(demonstrate, model_path=path, threshold=threshold)
    faulty = _in_parallel(partial(run, calm=False), numbers, jobs, "runs with a gradual fault")
    calm = _in_parallel(partial(run, calm=True), numbers, jobs, "runs without a fault")
    result = showing(version, threshold, list(faulty.values()), list(calm.values()), RUN_S)
    typer.echo(table(result))
    if out is not None:
        out.write_bytes(msgspec.json.format(msgspec.json.encode(result)))


def _in_parallel(work: Callable[[K], T], items: Sequence[K], jobs: int, label: str) -> dict[K, T]:
    """Item → result, in the order of the items, whatever order they were finished in."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(work, item): item for item in items}
        with typer.progressbar(as_completed(futures), length=len(items), label=label) as done:
            results = {futures[future]: future.result() for future in done}
    return {item: results[item] for item in items}
