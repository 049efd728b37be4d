"""`foregate data`: back up, restore and check a data directory."""

import json
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from foregate.app.backup import back_up, check, restore
from foregate.app.cli.refusal import EXIT_RUNTIME, EXIT_USAGE
from foregate.app.cli.up import DataDirectory
from foregate.app.held import is_held
from foregate.app.paths import DataDir
from foregate.kernel.clock import SystemClock

EXIT_FINDINGS = 1

app = typer.Typer(help="Back up, restore and check a data directory.", no_args_is_help=True)


@app.command("backup")
def backup_command(
    target: Annotated[Path, typer.Argument(help="A folder that is not there yet.")],
    data_dir: DataDirectory = Path(".foregate"),
) -> None:
    """Copy all stores into a folder, also while foregate runs: each as it is at one moment."""
    if not data_dir.is_dir():
        _refuse(f"{data_dir} is no data directory")
    try:
        listing = back_up(DataDir(data_dir), target, SystemClock())
    except OSError as error:
        _fail(f"{error}; what is in {target} is no backup")
    size = sum(each.bytes for each in listing.files.values())
    typer.echo(f"backed up {data_dir}: {len(listing.files):,} files, {size:,} bytes, in {target}")


@app.command("restore")
def restore_command(
    backup: Annotated[Path, typer.Argument(help="What `foregate data backup` has made.")],
    data_dir: DataDirectory = Path(".foregate"),
) -> None:
    """Make a data directory of a backup. Nothing is ever overwritten."""
    if is_held(DataDir(data_dir)):
        _refuse(f"a foregate runs with its data in {data_dir}: stop it, or give another --data-dir")
    try:
        listing = restore(backup, DataDir(data_dir))
    except OSError as error:
        _fail(f"{error}; nothing was restored")
    typer.echo(f"restored {len(listing.files):,} files to {data_dir}")


@app.command("check")
def check_command(
    folder: Annotated[Path | None, typer.Argument(help="A data directory or a backup; default: --data-dir.")] = None,
    data_dir: DataDirectory = Path(".foregate"),
    quick: Annotated[bool, typer.Option("--quick", help="Do not read all of it: no hashes, no indexes.")] = False,
    output: Annotated[Literal["text", "json"], typer.Option("--output", "-o")] = "text",
) -> None:
    """Look for damage: in every store, between manifest and segments, and in what a backup says it holds."""
    where = folder or data_dir
    try:
        findings = list(check(where, SystemClock(), quick=quick))
    except OSError as error:
        _fail(str(error))
    if output == "json":
        typer.echo(json.dumps([finding._asdict() for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(f"{finding.file}: {finding.problem}")
        typer.echo(f"{len(findings)} problems in {where}" if findings else f"{where} is whole")
    raise typer.Exit(EXIT_FINDINGS if findings else 0)


def _refuse(sentence: str) -> NoReturn:
    typer.echo(f"error: {sentence}", err=True)
    raise typer.Exit(EXIT_USAGE)


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"error: {sentence}", err=True)
    raise typer.Exit(EXIT_RUNTIME)
