"""`foregate predict evaluate recorded`: telemetry that anybody brings."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from foregate.app.cli.predict.evaluate.options import (
    Horizons,
    ModelFile,
    NoModel,
    NoPlots,
    Out,
    Seed,
    Shown,
    bar,
    need,
    publish,
    refusals,
    seconds_of,
)


def register(app: typer.Typer) -> None:
    app.command("recorded")(recorded)


def recorded(
    files: Annotated[list[Path], typer.Argument(help="Parquet or CSV (.csv, .csv.gz): a row per API and minute.")],
    learn: Annotated[
        list[Path] | None,
        typer.Option(help="Take thresholds, and what the learned baselines know, from these systems. May repeat."),
    ] = None,
    model: ModelFile = None,
    no_model: NoModel = False,
    horizon: Horizons = None,
    seed: Seed = 0,
    out: Out = None,
    output: Shown = "table",
    no_plots: NoPlots = False,
) -> None:
    """Judge the model and the simple scores on recorded minutes. The format: docs/reference/recorded-telemetry.md."""
    need("sklearn", "the logistic regression beside it")
    if out is not None and not no_plots:
        need("matplotlib", "drawing (or give --no-plots)")
    import msgspec

    from foregate.app.evaluation import judge_recorded, model_contenders, recorded_systems
    from foregate.predict.evaluate.judge import HORIZONS_S
    from foregate.predict.evaluate.plots import draw
    from foregate.predict.evaluate.table import table

    horizons_s = seconds_of(horizon, HORIZONS_S)
    with refusals():
        systems, others = recorded_systems(files), recorded_systems(learn) if learn else []
        models = [] if no_model else model_contenders(model, horizons_s)
        with bar("scores") as step:
            report = judge_recorded(systems, others, models, horizons_s=horizons_s, seed=seed, step=step)
        publish(out, output, msgspec.json.encode(report), table(report), None if no_plots else partial(draw, report))
