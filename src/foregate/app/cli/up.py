"""`foregate up`: everything on one machine."""

import os
from pathlib import Path
from typing import Annotated

import typer

from foregate.app.cli.refusal import refusals
from foregate.app.config import load
from foregate.app.config.document import default_environ
from foregate.app.launch import Launch, default_file, owned, prepare, start
from foregate.app.logs import LogFormat, configure_logs
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime

ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="The configuration; default: foregate.yaml here, if any.")
]
DataDirectory = Annotated[Path, typer.Option("--data-dir", help="Where everything is kept.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, max=64, help="Gateway processes; default: one per core.")
]
Format = Annotated[LogFormat, typer.Option("--log-format", help="json for machines, console for people.")]


def register(app: typer.Typer) -> None:
    app.command()(up)


def up(
    config: ConfigFile = None,
    data_dir: DataDirectory = Path(".foregate"),
    workers: Workers = None,
    log_format: Format = "json",
) -> None:
    """Start the gateway, the analyzer and the console, and keep them alive until Ctrl-C."""
    environ = dict(default_environ())
    log = configure_logs(log_format, "supervisor")
    with refusals():
        loaded = load(config or default_file(), environ)
        with owned(DataDir(data_dir)):
            launch = Launch(loaded, DataDir(data_dir), workers or os.cpu_count() or 1, log_format, environ)
            runtime = prepare(launch)
            status = start(launch, runtime, lambda ready: announce(ready), log)
    raise typer.Exit(status)


def console_link(runtime: Runtime) -> str:
    """The address that opens the console once."""
    host = f"[{runtime.console_host}]" if ":" in runtime.console_host else runtime.console_host
    return f"http://{host}:{runtime.console_port}/login?code={runtime.login_code}"


def announce(runtime: Runtime) -> None:
    """Tell the person who started us where things are."""
    typer.echo("")
    typer.echo(f"  foregate is up.  Gateway  {runtime.gateway_url}")
    typer.echo(f"                   Console  {console_link(runtime)}")
    typer.echo("                   (the link works once; the token for later is in the data directory: console.token)")
    typer.echo("  Ctrl-C stops everything.")
    typer.echo("")
