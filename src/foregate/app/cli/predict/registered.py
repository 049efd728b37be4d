"""What the commands about models of own traffic share: the registry of a data directory, and errors as sentences."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from foregate.adapters.embedded.models import EmbeddedModels
from foregate.app.cli.desk import EXIT_REFUSED
from foregate.app.cli.refusal import EXIT_RUNTIME, EXIT_USAGE
from foregate.app.models.desk import ModelDesk
from foregate.app.paths import DataDir
from foregate.app.runtime import read_runtime
from foregate.kernel.clock import SystemClock
from foregate.kernel.errors import ForegateError

Org = Annotated[str | None, typer.Option("--org", help="Whose models; default: all of them, or the only one.")]
Output = Annotated[Literal["text", "json"], typer.Option("--output", "-o", help="json for machines.")]


def registry_of(directory: Path) -> tuple[DataDir, EmbeddedModels]:
    """Those of a data directory in which foregate has run; else the command ends with exit status 2."""
    data = DataDir(directory)
    if not data.settings.exists():
        typer.echo(f"foregate predict: no foregate has run in {directory}: give --data-dir", err=True)
        raise typer.Exit(EXIT_USAGE)
    return data, EmbeddedModels(data.models)


@contextmanager
def desk_of(directory: Path) -> Iterator[ModelDesk]:
    """A refusal ends the command with exit status 1, an OSError with 3."""
    data, registry = registry_of(directory)
    try:
        yield ModelDesk(registry, SystemClock(), read_runtime(data).model_path)
    except ForegateError as error:
        typer.echo(f"error: {error.detail}", err=True)
        raise typer.Exit(EXIT_REFUSED) from None
    except OSError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_RUNTIME) from None


def only_org(desk: ModelDesk, org: str | None) -> str:
    """The one that was named, or the only one that has models. Raises ForegateError."""
    if org is not None:
        return org
    found = [each.org for each in desk.all() if each.entries]
    if len(found) == 1:
        return found[0]
    reason = f"name one of {', '.join(found)} by --org" if found else "there are no models of own traffic here"
    raise ForegateError("not_found", reason)
