"""`foregate predict evaluate checks`: histories of endpoint checks."""

from pathlib import Path
from typing import Annotated

import typer

from foregate.app.cli.predict.evaluate.options import Out, Seed, Shown, bar, publish, refusals


def register(app: typer.Typer) -> None:
    app.command("checks")(checks)


def checks(
    file: Annotated[
        Path,
        typer.Argument(help="CSV (.csv, .csv.gz): source, endpoint, time, state, status, latency_ms.", dir_okay=False),
    ],
    seed: Seed = 0,
    out: Out = None,
    output: Shown = "table",
) -> None:
    """Judge the foreseeing of outages from public checks: each source by what was learned on the others."""
    import msgspec

    from foregate.predict.evaluate.checks import ChecksError, evaluate, table

    with refusals(ChecksError):
        with bar("endpoint checks") as step:
            report = evaluate(file, seed=seed, step=step)
        publish(out, output, msgspec.json.encode(report), table(report))
