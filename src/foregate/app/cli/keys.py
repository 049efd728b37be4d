"""`foregate keys`: make API keys, and the hashes that stand for them in a configuration."""

from pathlib import Path
from typing import Annotated

import typer

from foregate.app.cli.up import DataDirectory
from foregate.app.paths import DataDir
from foregate.kernel.secrets import hash_key, new_key

app = typer.Typer(help="Make API keys and their hashes.", no_args_is_help=True)


@app.command()
def new(
    data_dir: DataDirectory = Path(".foregate"),
    environment: Annotated[str, typer.Option(help="The mark in the key: fg_<environment>_…")] = "live",
) -> None:
    """Print a new key, shown only now, and the hash to put into foregate.yaml."""
    key = new_key(environment)
    typer.echo(f"key   {key}")
    typer.echo(f"hash  {hash_key(key, _pepper(data_dir))}")


@app.command(name="hash")
def hash_(data_dir: DataDirectory = Path(".foregate")) -> None:
    """Ask for an existing key (or read it from standard input) and print its hash."""
    stdin = typer.get_text_stream("stdin")
    key = typer.prompt("key", hide_input=True) if stdin.isatty() else stdin.readline().strip()
    if len(key) < 16:
        typer.echo("error: a key has at least 16 characters", err=True)
        raise typer.Exit(2)
    typer.echo(hash_key(key, _pepper(data_dir)))


def _pepper(directory: Path) -> bytes:
    data = DataDir(directory)
    data.create()
    return data.pepper()
