"""`foregate predict generate`: worlds of the lab as recorded telemetry."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foregate.app.cli.predict.parallel import Jobs, in_parallel

if TYPE_CHECKING:
    from foregate.lab.minutes import Part, Telemetry

BATCH_WORLDS = 40


def register(app: typer.Typer) -> None:
    app.command("generate")(generate)


def generate(
    out: Annotated[Path, typer.Option(help="A folder; one Parquet file and its side files are written there.")],
    part: Annotated[str, typer.Option(help="train, validation, unseen, shifted or seldom.")] = "unseen",
    worlds: Annotated[int, typer.Option(min=1, max=1000, help="Companies; each is a system of its own.")] = 20,
    days: Annotated[float, typer.Option(min=0.01, max=14.0, help="Recorded time of each.")] = 2.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other companies.")] = 0,
    jobs: Jobs = 2,
) -> None:
    """Write minute telemetry of made-up companies, in the format of docs/reference/recorded-telemetry.md."""
    from foregate.adapters.embedded.recorded import write_recorded
    from foregate.lab.minutes import PARTS

    chosen = next((one for one in PARTS if one == part), None)
    if chosen is None:
        typer.echo(f'foregate predict: "{part}" is not a part; there are {", ".join(PARTS)}', err=True)
        raise typer.Exit(2)
    path = out / f"{part}-{seed}.parquet"
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_recorded(path, _worlds(chosen, worlds, days, seed, jobs))
    except OSError as error:
        typer.echo(f"foregate predict: {path}: {error.strerror}", err=True)
        raise typer.Exit(3) from error
    typer.echo(f"{worlds} worlds of {days:g} days: {path}")


def _worlds(part: "Part", worlds: int, days: float, seed: int, jobs: int) -> Iterator["Telemetry"]:
    """In batches, so that memory holds one batch however many there are."""
    from foregate.lab.minutes import world

    for first in range(0, worlds, BATCH_WORLDS):
        batch = range(first, min(worlds, first + BATCH_WORLDS))
        yield from in_parallel(partial(world, part, seed=seed, days=days), batch, jobs, "worlds").values()
