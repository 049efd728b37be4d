"""`foregate demo`: foregate in front of the lab, on one machine; what `make run` starts."""

from pathlib import Path
from typing import Annotated

import typer

from foregate.app.cli.refusal import refusals
from foregate.app.cli.up import Format, Level
from foregate.app.config import load
from foregate.app.config.document import default_environ
from foregate.app.demo import CURL_PATH, forget, write_demo
from foregate.app.launch import Launch, owned, prepare, start
from foregate.app.logs import LogStyle, configure_logs
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime

SEED = 43  # the course of faults that was looked at longest


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    gateway: Annotated[str, typer.Option(help="Where the gateway listens.")] = "127.0.0.1:8080",
    console: Annotated[str, typer.Option(help="Where the console listens.")] = "127.0.0.1:8090",
    data_dir: Annotated[Path, typer.Option("--data-dir", help="Emptied of an earlier demo at each start.")] = Path(
        ".foregate/demo"
    ),
    workers: Annotated[int, typer.Option(min=1, max=64, help="Gateway processes.")] = 2,
    seed: Annotated[int, typer.Option(help="Another seed plays another course of faults.")] = SEED,
    log_format: Format = "console",
    log_level: Level = "warning",
) -> None:
    """Start real services with real faults behind the gateway, and watch one of them fail, foreseen."""
    logs, data = LogStyle(log_format, log_level, DataDir(data_dir).own_log("supervisor")), DataDir(data_dir)
    log = configure_logs(logs, "supervisor")
    with refusals(), owned(data):
        forget(data)
        file, order, variables = write_demo(data, {"gateway": gateway, "console": console}, seed)
        environ = {**default_environ(), **variables}
        launch = Launch(load(file, environ), data, workers, logs, environ, order.control_url)
        runtime = prepare(launch)
        typer.echo("starting foregate and its demo services …")
        key = variables["FOREGATE_DEMO_KEY"]
        status = start(launch, runtime, lambda ready, link: announce(ready, link, key), log)
    typer.echo("foregate has stopped.")
    raise typer.Exit(status)


def announce(runtime: Runtime, link: str, key: str) -> None:
    """Where to look, and what to try."""
    typer.echo(f"""
  foregate is up.   Ctrl-C stops everything.

  console   {link}
  gateway   {runtime.gateway_url}
  key       {key}

  Watch the console for seven minutes: payments falls ill slowly, and is foreseen before it fails.
  A request of your own:

    curl -H 'X-Api-Key: {key}' '{runtime.gateway_url}{CURL_PATH}'
""")
