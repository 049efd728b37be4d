"""`foregate cache`: purge answers, and see how full the cache is."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from foregate.app.cache_desk import CacheDesk
from foregate.app.cli.refusal import EXIT_USAGE, refusals
from foregate.app.cli.up import DataDirectory
from foregate.app.paths import DataDir
from foregate.ports.cache import PurgeKind

app = typer.Typer(help="Purge stored answers, and see how full the cache is.", no_args_is_help=True)


@app.command()
def purge(
    data_dir: DataDirectory = Path(".foregate"),
    url: Annotated[str | None, typer.Option(help="Path and query, on every host or with one in front.")] = None,
    prefix: Annotated[str | None, typer.Option(help="All that begins so; / for everything.")] = None,
    tag: Annotated[str | None, typer.Option(help="All answers with this tag.")] = None,
    org: Annotated[str | None, typer.Option(help="Only what this organisation was given.")] = None,
) -> None:
    """Have answers asked for anew: at once, in every worker and on the disk."""
    kinds: list[tuple[PurgeKind, str | None]] = [("url", url), ("prefix", prefix), ("tag", tag)]
    given = [(kind, pattern) for kind, pattern in kinds if pattern is not None]
    if len(given) != 1:
        typer.echo("error: give exactly one of --url, --prefix and --tag", err=True)
        raise typer.Exit(EXIT_USAGE)
    kind, pattern = given[0]
    with refusals("nothing was purged"):
        try:
            CacheDesk(DataDir(data_dir)).purge(kind, pattern, org)
        except ValueError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(EXIT_USAGE) from None
    typer.echo(f"purged {kind} {pattern}" + (f" of {org}" if org else ""))


@app.command()
def stats(data_dir: DataDirectory = Path(".foregate")) -> None:
    """Print the cache's numbers: of all workers' memory together, and of the disk they share."""
    with refusals("the cache's numbers are not there"):
        found = CacheDesk(DataDir(data_dir)).stats()
    for name, value in msgspec.structs.asdict(found).items():
        typer.echo(f"{name:18}{value:>20,}")
