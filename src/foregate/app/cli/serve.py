"""`foregate serve --role`: one process of a cluster, or one to debug."""

import importlib
from pathlib import Path
from typing import Annotated, Literal

import typer

from foregate.app.cli.refusal import EXIT_RUNTIME, EXIT_USAGE
from foregate.app.cli.up import Format, Level
from foregate.app.held import InUse, hold_part
from foregate.app.logs import LogStyle
from foregate.app.paths import DataDir
from foregate.app.roles.options import RoleOptions


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    role: Annotated[
        Literal["gateway", "courier", "ingest", "analyzer", "keeper", "control"],
        typer.Option(help="What this process shall be."),
    ],
    data_dir: Annotated[Path, typer.Option("--data-dir", help="A directory that `foregate up` has prepared.")],
    worker: Annotated[int, typer.Option(min=0, max=63, help="Which gateway or ingest process, from 0.")] = 0,
    log_format: Format = "json",
    log_level: Level = "info",
) -> None:
    """Run one role in this process, unsupervised."""
    options = RoleOptions(role, DataDir(data_dir), worker, LogStyle(log_format, log_level))
    try:
        hold_part(options.data, role, worker)
    except InUse as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from None
    except OSError as error:
        typer.echo(f"error: {error.strerror}: {data_dir} is no directory that foregate up has prepared", err=True)
        raise typer.Exit(EXIT_RUNTIME) from None
    raise typer.Exit(importlib.import_module(f"foregate.app.roles.{role}").run(options))
