"""`foregate predict evaluate lab`: worlds of the lab that nothing was learned or chosen on."""

from functools import partial
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
from foregate.app.cli.predict.parallel import Jobs

_SHARE_CHOOSING = 0.5


def register(app: typer.Typer) -> None:
    app.command("lab")(lab)


def lab(
    worlds: Annotated[
        int, typer.Option(min=2, max=500, help="Companies per part; half as many choose thresholds.")
    ] = 40,
    days: Annotated[float, typer.Option(min=0.2, max=14.0, help="Recorded time of each.")] = 2.0,
    model: ModelFile = None,
    no_model: NoModel = False,
    horizon: Horizons = None,
    seed: Seed = 0,
    jobs: Jobs = 2,
    out: Out = None,
    output: Shown = "table",
    no_plots: NoPlots = False,
) -> None:
    """Judge the model and the simple scores on worlds of the lab: unseen ones, other mixes of faults, rarer failures.

    Learned baselines learn on the lab's training worlds; thresholds are chosen on its validation worlds.
    """
    need("sklearn", "the logistic regression beside it")
    if out is not None and not no_plots:
        need("matplotlib", "drawing (or give --no-plots)")
    import msgspec

    from foregate.app.evaluation import judge_lab, lab_contenders, lab_systems, model_content
    from foregate.lab.minutes import PARTS
    from foregate.predict.evaluate.contenders import Contender
    from foregate.predict.evaluate.judge import HORIZONS_S
    from foregate.predict.evaluate.plots import draw
    from foregate.predict.evaluate.system import System
    from foregate.predict.evaluate.table import table

    horizons_s = seconds_of(horizon, HORIZONS_S)
    with refusals():
        content = None if no_model else model_content(model, horizons_s)  # refused before anything is simulated
        parts: dict[str, list[System]] = {}
        for part in PARTS:
            with bar(f"{part} worlds") as step:
                number = max(2, round(_SHARE_CHOOSING * worlds)) if part == "validation" else worlds
                parts[part] = lab_systems(part, number, days, seed, jobs=jobs, step=step)
        models: list[Contender] = []
        if content is not None:
            with bar("model") as step:
                models = lab_contenders(content, parts, horizons_s, jobs=jobs, step=step)
        with bar("scores") as step:
            report = judge_lab(parts, models, horizons_s=horizons_s, seed=seed, step=step)
        publish(out, output, msgspec.json.encode(report), table(report), None if no_plots else partial(draw, report))
