"""`foregate config replay`: what would another configuration have made of the traffic of the last hours?"""

import json
import re
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.app.cli.config import EXIT_DIFFERENT, Output, app, checked
from foregate.app.cli.refusal import EXIT_RUNTIME, EXIT_USAGE, refusals
from foregate.app.cli.up import DataDirectory
from foregate.app.paths import DataDir
from foregate.app.replay import BadRecording, Recorded, Report, from_bus, from_har, replay
from foregate.kernel.clock import SystemClock

REQUESTS_MAX = 1_000_000
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


@app.command(name="replay")
def replay_traffic(
    config: Path,
    data_dir: DataDirectory = Path(".foregate"),
    har: Annotated[Path | None, typer.Option(help="A HAR file instead of what the gateway has recorded.")] = None,
    since: Annotated[str, typer.Option(help="How far back: 30m, 6h, 1d.")] = "1h",
    requests: Annotated[int, typer.Option(min=1, max=REQUESTS_MAX, help="At most so many, the youngest.")] = 200_000,
    output: Output = "text",
) -> None:
    """Try a configuration against recorded traffic: routes, keys, addresses and limits. Nothing is sent.

    Exit status 1 when requests would fare otherwise. What needs bodies, secrets or the state of services is let pass.
    """
    with refusals("not a valid configuration"):
        _, snapshot = checked(config)
    try:
        found = from_har(har) if har is not None else _recorded(data_dir, since, requests)
        with tempfile.TemporaryDirectory(prefix="foregate-replay-") as folder:
            report = replay(snapshot, found, Path(folder))
    except BadRecording as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from None
    except OSError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_RUNTIME) from None
    if output == "json":
        typer.echo(json.dumps(msgspec.to_builtins(report), indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(_sentences(report)))
    raise typer.Exit(EXIT_DIFFERENT if report.changes else 0)


def _recorded(data_dir: Path, since: str, requests: int) -> list[Recorded]:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhd])", since)
    if match is None:
        raise BadRecording(f"--since {since}: write a number with its unit, such as 30m, 6h or 1d")
    file = DataDir(data_dir).bus
    if not file.exists():
        raise BadRecording(f"there is no {file}: name the data directory of a gateway that has had traffic")
    clock = SystemClock()
    bus = EmbeddedBus(file, clock)
    try:
        return from_bus(bus, clock.now() - float(match[1]) * _UNITS_S[match[2]], requests)
    finally:
        bus.close()


def _sentences(report: Report) -> list[str]:
    if not report.requests:
        return ["nothing was recorded in that time"]
    minutes = (report.until_s - report.from_s) / 60.0
    lines = [f"{report.requests} requests of {minutes:.1f} minutes: {report.same} would fare the same"]
    if report.undecided:
        lines.append(f"{report.undecided} cannot be judged: their paths are longer than what is recorded of them")
    for change in report.changes:
        lines += [
            "",
            f"{change.requests} {change.kind.replace('_', ' ')}: {change.before} → {change.after}",
            f"  of {change.consumers} clients, e.g. {change.example} ({change.example_id})",
        ]
    return lines
