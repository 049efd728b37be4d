"""`foregate predict models`, `rollback` and `card`: which models of own traffic there are, and which one serves."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from foregate.app.cli.predict.registered import Org, Output, desk_of, only_org
from foregate.app.cli.up import DataDirectory
from foregate.wire.models import BUNDLED, OrgModels, state_of

Before = Annotated[str | None, typer.Argument(help="Default: the one that served before.")]
Shown = Annotated[str | None, typer.Argument(help="Default: the one that serves.")]


def register(app: typer.Typer) -> None:
    app.command("models")(models)
    app.command("rollback")(rollback)
    app.command("card")(card)


def models(data_dir: DataDirectory = Path(".foregate"), org: Org = None, output: Output = "text") -> None:
    """List the models of own traffic, what became of them, and how far learning has come."""
    with desk_of(data_dir) as desk:
        found = [each for each in desk.all() if org in (None, each.org)]
        fixed = desk.fixed
    if output == "json":
        typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    if fixed is not None:
        typer.echo(f"predict.model_path is set: {fixed} judges everybody")
    for each in found:
        for line in _shown(each):
            typer.echo(line)
    if not found:
        typer.echo("nobody has been judged or learnt from yet", err=True)


def rollback(
    version: Before = None,
    data_dir: DataDirectory = Path(".foregate"),
    org: Org = None,
    note: Annotated[str, typer.Option(help="Why; kept with it.")] = "",
) -> None:
    """Let an earlier model serve again. What served is not promoted again, and nothing else for a week."""
    with desk_of(data_dir) as desk:
        whose = only_org(desk, org)
        serving = desk.roll_back(whose, version, "cli", note[:500])
    typer.echo(f"{whose}: {serving.version} serves; a running foregate follows within seconds")


def card(version: Shown = None, data_dir: DataDirectory = Path(".foregate"), org: Org = None) -> None:
    """Print a model's card: what it learned from, how it was judged, what it can foresee."""
    with desk_of(data_dir) as desk:
        whose = only_org(desk, org) if version != BUNDLED else ""
        wanted = version or next((each.serving.version for each in desk.all() if each.org == whose), BUNDLED)
        if wanted == BUNDLED:
            from foregate.app.models.bundled import bundled_card

            typer.echo(bundled_card())
            return
        typer.echo(desk.card(whose, wanted).decode())


def _shown(each: OrgModels) -> Iterator[str]:
    in_force = each.in_force
    judged = f"judged by {in_force.version} since {_when(in_force.since_s)}" if in_force else "not judged yet"
    yield f"{each.org}: {each.serving.version} is to serve, {judged}"
    if in_force is not None and in_force.note:
        yield f"    {in_force.note}"
    if each.note:
        yield f"    {each.note}"
    if each.learning is not None:
        yield f"    last learnt {_when(each.learning.at_s)}: {each.learning.outcome} – {each.learning.sentence}"
    if each.shift is not None:
        yield f"    {each.shift.version} {each.shift.state}: {'; '.join(each.shift.sentences)}"
    for entry in each.entries:
        yield f"    {entry.version}  {state_of(entry, each.serving):<9}  made {_when(entry.made_s)}  {entry.reason}"


def _when(time_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(time_s))
