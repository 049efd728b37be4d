"""`foregate predict evaluate labelled`: detectors on series in which people marked what was wrong."""

from pathlib import Path
from typing import Annotated

import typer

from foregate.app.cli.predict.evaluate.options import Out, Seed, Shown, bar, publish, refusals


def register(app: typer.Typer) -> None:
    app.command("labelled")(labelled)


def labelled(
    folder: Annotated[
        Path,
        typer.Argument(help="Series as CSV (TimeStamp, Value, Label), or NAB's data/ and labels/.", file_okay=False),
    ],
    seed: Seed = 0,
    out: Out = None,
    output: Shown = "table",
) -> None:
    """Judge the anomaly detectors by VUS-PR: one configuration for all series, beside a random score and EWMA + z."""
    import msgspec

    from foregate.predict.evaluate.labelled import evaluate, table

    with refusals():
        with bar("labelled series") as step:
            report = evaluate(folder, seed=seed, step=step)
        publish(out, output, msgspec.json.encode(report), table(report))
