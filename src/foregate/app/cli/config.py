"""`foregate config`: look at a configuration, compare two, ask what it would do, and have a running one reloaded."""

import json
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from foregate.app.asking import NobodyWatches, ask_reload, lagging
from foregate.app.cli.refusal import EXIT_RUNTIME, EXIT_USAGE, refusals
from foregate.app.cli.up import ConfigFile, DataDirectory
from foregate.app.config import Config, ConfigRefused, Loaded, load
from foregate.app.config.difference import differences
from foregate.app.config.document import default_environ
from foregate.app.config.explain import Asked, Explanation, Met, explain
from foregate.app.config.problems import Problem
from foregate.app.config.reference import reference
from foregate.app.config.verify import verified
from foregate.app.config.warnings import WARNINGS_MAX, warnings
from foregate.app.launch import default_file
from foregate.app.paths import DataDir
from foregate.kernel.clock import SystemClock
from foregate.wire.snapshot import Snapshot

app = typer.Typer(help="Check a configuration, compare, explain, reload.", no_args_is_help=True)
Output = Annotated[Literal["text", "json"], typer.Option("--output", "-o", help="json for machines.")]
EXIT_DIFFERENT = 1
OTHERS_SHOWN = 20  # routes that were not taken, those first that would have been without another one
# Hashes of keys are compared, never shown: any pepper does, and the real one stays where it is.
_ANY_PEPPER = b"foregate config"


@app.command()
def check(config: ConfigFile = None, output: Output = "text") -> None:
    """Say every problem of a configuration, or that there is none; and what it may not have been meant to say."""
    file: Path | None = config or default_file()
    if output == "json":
        _check_json(file)
        return
    with refusals("not a valid configuration"):
        loaded, _ = checked(file)
    doubts = _doubts(loaded)
    for doubt in doubts[:WARNINGS_MAX]:
        typer.echo(f"warning: {doubt}", err=True)
    if len(doubts) > WARNINGS_MAX:
        typer.echo(f"warning: and {len(doubts) - WARNINGS_MAX} more", err=True)
    typer.echo(f"{file or 'the default configuration'} is valid: {_counts(loaded)}")


def _check_json(file: Path | None) -> None:
    try:
        loaded, snapshot = checked(file)
    except ConfigRefused as refused:
        _print_json(
            {
                "valid": False,
                "problems": [{**_where(problem), "problem": problem.sentence} for problem in refused.problems],
                "warnings": [],
            }
        )
        raise typer.Exit(EXIT_USAGE) from None
    config = loaded.config
    counts = {name: len(getattr(config, name)) for name in ("services", "routes", "plans", "keys")}
    said = [{**_where(doubt), "warning": doubt.sentence} for doubt in _doubts(loaded)]
    _print_json({"valid": True, "problems": [], "warnings": said, "listeners": len(snapshot.listeners), **counts})


@app.command()
def schema() -> None:
    """Print the JSON Schema of foregate.yaml."""
    _print_json(Config.model_json_schema())


@app.command(name="reference")
def print_reference() -> None:
    """Print the reference of every key (docs/reference/configuration.md)."""
    typer.echo(reference(), nl=False)


@app.command()
def diff(before: Path, after: Path, output: Output = "text") -> None:
    """Say what another configuration would do differently. Exit status 1 when it would."""
    with refusals("not a valid configuration"):
        (one, first), (other, second) = checked(before), checked(after)
    changes = differences(first, second, {**one.document.environment, **other.document.environment})
    if output == "json":
        _print_json([change._asdict() for change in changes])
    else:
        typer.echo("\n".join(map(str, changes)) if changes else "they do the same")
    raise typer.Exit(EXIT_DIFFERENT if changes else 0)


@app.command(name="explain")
def explain_request(
    method: str,
    url: Annotated[str, typer.Argument(help="http://host/path?query, or /path.")],
    config: ConfigFile = None,
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="'name: value', several times.")] = None,
    key: Annotated[str, typer.Option(help="The name of the API key that it bears.")] = "",
    client: Annotated[str, typer.Option(help="The address that it comes from.")] = "",
    output: Output = "text",
) -> None:
    """Say which route, policies and target a request would meet, and why."""
    headers = []
    for line in header or ():
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            typer.echo(f'error: "{line}" is not a header like "name: value"', err=True)
            raise typer.Exit(EXIT_USAGE)
        headers.append((name.strip().lower().encode(), value.strip().encode()))
    with refusals("not a valid configuration"):
        loaded, snapshot = checked(config or default_file())
    try:
        found = explain(snapshot, Asked(method, url, headers, key, client), loaded.document.environment)
    except ValueError as error:
        typer.echo(f"error: {url}: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from None
    if output == "json":
        _print_json(msgspec.to_builtins(found))
    else:
        typer.echo("\n".join(_sentences(method, url, found)))


@app.command()
def reload(data_dir: DataDirectory = Path(".foregate"), output: Output = "text") -> None:
    """Have a running foregate read its configuration again, and say what became of it."""
    try:
        attempt = ask_reload(DataDir(data_dir), SystemClock(), time.sleep)
        late = lagging(DataDir(data_dir), attempt.version, SystemClock(), time.sleep)
    except (NobodyWatches, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_RUNTIME) from None
    if output == "json":
        _print_json({**msgspec.to_builtins(attempt), "lagging": late})
    else:
        for problem in attempt.problems:
            typer.echo(f"error: {problem}", err=True)
        for key in attempt.later:
            typer.echo(f"{key} waits for a restart")
        for worker, version in late.items():
            serves = (
                f"still serves by version {version}" if version else "gives no sign that it serves by it: see the log"
            )
            typer.echo(f"error: {worker} {serves}", err=True)
        typer.echo(f"{attempt.outcome}: version {attempt.version} is in force" + (" elsewhere" if late else ""))
    raise typer.Exit(EXIT_USAGE if attempt.outcome == "refused" else EXIT_RUNTIME if late else 0)


def checked(file: Path | None) -> tuple[Loaded, Snapshot]:
    """A configuration, and what workers would be given of it. Raises ConfigRefused."""
    loaded = load(file, default_environ())
    return loaded, verified(loaded, _ANY_PEPPER)


def _doubts(loaded: Loaded) -> list[Problem]:
    return [loaded.problem(path, sentence) for path, sentence in warnings(loaded.config)]


def _where(problem: Problem) -> dict[str, str]:
    return {"where": problem.where, "key": problem.key}


def _counts(loaded: Loaded) -> str:
    found = {name: len(getattr(loaded.config, f"{name}s")) for name in ("service", "route", "key")}
    return ", ".join(f"{count} {name}" if count == 1 else f"{count} {name}s" for name, count in found.items())


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _sentences(method: str, url: str, found: Explanation) -> list[str]:
    """An explanation as lines for a terminal."""
    lines = [f"{method.upper()} {url} {found.outcome}", ""]
    lines += [f"route {found.route}"] if found.route is not None else []
    others = sorted((each for each in found.considered if not each.matched), key=lambda each: "matches" not in each.why)
    lines += [f"  not {each.route}: {each.why}" for each in others[:OTHERS_SHOWN]]
    if len(others) > OTHERS_SHOWN:
        lines.append(f"  nor {len(others) - OTHERS_SHOWN} more (-o json says all)")
    for way in found.ways:
        lines += [
            "",
            f"service {way.service} ({way.share:.0%}), {way.algorithm}: {', '.join(way.targets)}",
            f"  asked for {way.path} as {way.host}",
            *_policies(way.policies),
        ]
    return lines if found.ways else [*lines, *_policies(found.policies)]


def _policies(met: tuple[Met, ...]) -> list[str]:
    width = max((len(each.policy) for each in met), default=0)
    scopes = max((len(each.set_by) for each in met), default=0)
    return [
        f"  {each.policy:<{width}}  {each.set_by:<{scopes}}  {json.dumps(each.settings, ensure_ascii=False)}"
        + (f"  — {each.verdict}" if each.verdict else "")
        for each in met
    ]
