"""`foregate predict train`: the model anew."""

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from foregate.app.cli.predict.parallel import Jobs, in_parallel


def register(app: typer.Typer) -> None:
    app.command("train")(train)


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

    runs_of = in_parallel(partial(training_examples, folder=recordings), plan(runs, seed), jobs, "lab hours")
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
