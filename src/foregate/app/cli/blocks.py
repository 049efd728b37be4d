"""`foregate blocks`: who is blocked, why and until when; block by hand; undo. Needs nothing but the data directory."""

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from foregate.app.abuse_settings import abuse_settings
from foregate.app.block_desk import BlockDesk, settings_or_defaults
from foregate.app.cli.desk import verdict_store
from foregate.app.cli.up import DataDirectory
from foregate.kernel.clock import SystemClock
from foregate.wire.decision import Decision

app = typer.Typer(help="Who is blocked for abuse; block by hand, undo.", no_args_is_help=True)
Output = Annotated[Literal["text", "json"], typer.Option("--output", "-o", help="json for machines.")]
BY = "cli"


@app.command(name="list")
def list_(
    data_dir: DataDirectory = Path(".foregate"),
    ended: Annotated[bool, typer.Option("--ended", help="Those that are over, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 200,
    output: Output = "text",
) -> None:
    """Print blocks, the newest first, each with its reason."""
    with _desk(data_dir) as desk:
        found = list(desk.recent(limit) if ended else desk.in_force()[:limit])
    if output == "json":
        typer.echo(json.dumps(msgspec.to_builtins(found), indent=2, ensure_ascii=False))
        return
    for decision in found:
        typer.echo(_shown(decision))
    if not found:
        typer.echo("nobody is blocked", err=True)


@app.command()
def add(
    subject: Annotated[str, typer.Argument(help="An address, or key:<id>.")],
    data_dir: DataDirectory = Path(".foregate"),
    for_s: Annotated[float, typer.Option("--for", min=1, max=365 * 86_400, help="Seconds.")] = 3_600.0,
    note: Annotated[str, typer.Option(help="Why; kept with it.")] = "",
) -> None:
    """Block somebody by hand. Whoever is on the allow list is not blocked."""
    with _desk(data_dir) as desk:
        typer.echo(_shown(desk.add(subject, for_s, note[:500], BY)))


@app.command()
def undo(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Of the block: `foregate blocks list`.")],
    data_dir: DataDirectory = Path(".foregate"),
    note: Annotated[str, typer.Option(help="Why; kept with it.")] = "",
) -> None:
    """End a block now, and have detection leave its subject alone for a while."""
    with _desk(data_dir) as desk:
        ended = desk.undo(identity, note[:500], BY)
    typer.echo(f"{ended.subject} is not blocked any more")


@contextmanager
def _desk(directory: Path) -> Iterator[BlockDesk]:
    with verdict_store(directory) as (data, store):
        settings = settings_or_defaults(lambda: abuse_settings(data.snapshot))
        yield BlockDesk(data, store, SystemClock(), lambda: settings)


def _shown(decision: Decision) -> str:
    until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(decision.until_s))
    left_s = math.ceil(decision.until_s - SystemClock().now())
    ends = f"ended by {decision.ended_by}" if decision.ended_s is not None else f"until {until} ({max(left_s, 0)} s)"
    effect = "" if decision.effect == "block" else "  observed only"
    return f"{decision.id}  {decision.subject}  {decision.rule}  {ends}{effect}\n    {decision.reason}"
