"""`foregate up`: everything on one machine."""

import os
from pathlib import Path
from typing import Annotated

import typer

from foregate.app.cli.refusal import refusals
from foregate.app.config import load
from foregate.app.config.document import default_environ
from foregate.app.console import console_link
from foregate.app.launch import Launch, default_file, owned, prepare, start
from foregate.app.logs import LogFormat, LogLevel, LogStyle, configure_logs
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime, read_runtime

ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="The configuration; default: foregate.yaml here, if any.")
]
DataDirectory = Annotated[Path, typer.Option("--data-dir", help="Where everything is kept.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, max=64, help="Gateway processes; default: one per core.")
]
Format = Annotated[LogFormat, typer.Option("--log-format", help="json for machines, console for people.")]

Level = Annotated[LogLevel, typer.Option("--log-level", help="The least important lines to be shown.")]


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command(name="console-link")(link)


def up(
    config: ConfigFile = None,
    data_dir: DataDirectory = Path(".foregate"),
    workers: Workers = None,
    log_format: Format = "json",
    log_level: Level = "info",
) -> None:
    """Start the gateway, the analyzer and the console, and keep them alive until Ctrl-C."""
    environ = dict(default_environ())
    logs = LogStyle(log_format, log_level, DataDir(data_dir).own_log("supervisor"))
    log = configure_logs(logs, "supervisor")
    with refusals():
        loaded = load(config or default_file(), environ)
        with owned(DataDir(data_dir)):
            launch = Launch(loaded, DataDir(data_dir), workers or os.cpu_count() or 1, logs, environ)
            runtime = prepare(launch)
            status = start(launch, runtime, announce, log)
    typer.echo("foregate has stopped.")
    raise typer.Exit(status)


def link(data_dir: DataDirectory = Path(".foregate")) -> None:
    """Print a new link that opens the console of a running foregate once."""
    data = DataDir(data_dir)
    try:
        typer.echo(console_link(read_runtime(data), data))
    except OSError as error:
        typer.echo(f"error: no running foregate with its data in {data_dir}: {error}", err=True)
        raise typer.Exit(3) from None


def announce(runtime: Runtime, link: str) -> None:
    """Tell the person who started us where things are."""
    typer.echo("")
    typer.echo("  foregate is up.   Ctrl-C stops everything.")
    typer.echo(f"  gateway   {runtime.gateway_url}")
    typer.echo(f"  console   {link}")
    typer.echo("            (works once; for another: foregate console-link)")
    typer.echo("")
