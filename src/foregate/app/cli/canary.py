"""`foregate canary`: which canaries there are, what became of them; let one go on."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from foregate.app.canary_desk import CanaryDesk
from foregate.app.cli.desk import verdict_store
from foregate.app.cli.up import DataDirectory
from foregate.kernel.clock import SystemClock
from foregate.wire.canary import CanaryState

app = typer.Typer(help="Canaries: what became of them; let one go on.", no_args_is_help=True)
Output = Annotated[Literal["text", "json"], typer.Option("--output", "-o", help="json for machines.")]


@app.command(name="list")
def list_(data_dir: DataDirectory = Path(".foregate"), output: Output = "text") -> None:
    """Print the canaries of the configuration in force."""
    with _desk(data_dir) as desk:
        found = desk.all()
    if output == "json":
        typer.echo(json.dumps(msgspec.to_builtins(found), indent=2, ensure_ascii=False))
        return
    for each in found:
        typer.echo(_shown(each))
    if not found:
        typer.echo("there are no canaries", err=True)


@app.command()
def resume(
    route: str,
    data_dir: DataDirectory = Path(".foregate"),
    note: Annotated[str, typer.Option(help="Why; kept with it.")] = "",
) -> None:
    """Give a canary that was rolled back its share again."""
    with _desk(data_dir) as desk:
        typer.echo(_shown(desk.resume(route, "cli", note[:500])))


@contextmanager
def _desk(directory: Path) -> Iterator[CanaryDesk]:
    with verdict_store(directory) as (data, store):
        yield CanaryDesk(data, store, SystemClock())


def _shown(each: CanaryState) -> str:
    if not each.rolled_back:
        return f"{each.route}  {each.canary} gets {each.weight:g} %, {each.service} the rest"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(each.since_s))
    return f"{each.route}  {each.canary} is rolled back to {each.service} since {since}\n    {each.reason}"
