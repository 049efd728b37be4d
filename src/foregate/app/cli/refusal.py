"""How a refused configuration looks in a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from foregate.app.config import ConfigRefused

EXIT_USAGE = 2
EXIT_RUNTIME = 3


@contextmanager
def refusals(what: str = "foregate did not start") -> Iterator[None]:
    """Turn ConfigRefused into its sentences on stderr and exit status 2; an OSError into one and exit status 3."""
    try:
        yield
    except ConfigRefused as refused:
        for problem in refused.problems:
            typer.echo(f"error: {problem}", err=True)
        many = len(refused.problems) > 1
        typer.echo(f"{what}: {len(refused.problems)} problem{'s' if many else ''} above.", err=True)
        raise typer.Exit(EXIT_USAGE) from None
    except OSError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_RUNTIME) from None
