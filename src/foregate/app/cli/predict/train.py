"""`foregate predict train`: the bundled model anew, from worlds of the lab."""

from pathlib import Path
from typing import Annotated

import typer

from foregate.app.cli.predict.evaluate.options import bar, need, refusals
from foregate.app.cli.predict.parallel import Jobs


def register(app: typer.Typer) -> None:
    app.command("train")(train)


def train(
    worlds: Annotated[int, typer.Option(min=4, max=1000, help="Companies to learn from.")] = 200,
    choosing: Annotated[int, typer.Option(min=2, max=500, help="Others, to choose trees and thresholds by.")] = 60,
    judged: Annotated[int, typer.Option(min=2, max=500, help="Others, of each kind, to be judged on.")] = 40,
    days: Annotated[float, typer.Option(min=0.2, max=14.0, help="Recorded time of each.")] = 2.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed takes other companies.")] = 0,
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder for model and card; default: the bundled one.")
    ] = None,
    jobs: Jobs = 2,
) -> None:
    """Train the predictor on worlds of the lab, judge it once on others, and write model and card."""
    need("sklearn", "the logistic regression beside it", "train")
    from foregate.app.training.lab import Companies, make
    from foregate.predict import bundled_path

    numbers = f"--worlds {worlds} --choosing {choosing} --judged {judged} --days {days:g}"
    folder = out or bundled_path().parent
    with refusals(command="train"):
        folder.mkdir(parents=True, exist_ok=True)  # not after an hour
        made = make(
            Companies(worlds, choosing, judged, days, seed),
            command=f"foregate predict train {numbers} --seed {seed}",
            jobs=jobs,
            bar=bar,
        )
        typer.echo(made.write(folder))
