"""What commands need that change verdicts: the store of a data directory, and errors as sentences."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from foregate.adapters.embedded.verdicts import EmbeddedVerdicts
from foregate.app.cli.refusal import EXIT_RUNTIME
from foregate.app.paths import DataDir
from foregate.kernel.errors import ForegateError

EXIT_REFUSED = 1


@contextmanager
def verdict_store(directory: Path) -> Iterator[tuple[DataDir, EmbeddedVerdicts]]:
    """The verdicts kept there. A refusal ends the command with exit status 1, an OSError with 3."""
    data = DataDir(directory)
    try:
        data.create()
        store = EmbeddedVerdicts(data.abuse)
        try:
            yield data, store
        finally:
            store.close()
    except ForegateError as error:
        typer.echo(f"error: {error.detail}", err=True)
        raise typer.Exit(EXIT_REFUSED) from None
    except OSError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_RUNTIME) from None
