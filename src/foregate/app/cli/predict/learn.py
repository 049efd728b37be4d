"""`foregate predict learn`: train on own traffic now."""

import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from foregate.app.cli.predict.registered import Org, Output, registry_of
from foregate.app.cli.refusal import EXIT_RUNTIME, EXIT_USAGE
from foregate.app.cli.up import DataDirectory
from foregate.wire.models import Learning

EXIT_NOT_PROMOTED = 1


def register(app: typer.Typer) -> None:
    app.command("learn")(learn)


def learn(
    data_dir: DataDirectory = Path(".foregate"),
    org: Org = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other trees.")] = 0,
    output: Output = "text",
    tied: Annotated[bool, typer.Option(hidden=True, help="One of the keeper's: last in line, ends with it.")] = False,
) -> None:
    """Train on the traffic that was recorded here, and let a better model take over. Exit status 1: none did; 3: what
    was recorded could not be read."""
    from foregate.app.training.environment import step_back, tie_to_parent

    if tied:
        step_back()
        tie_to_parent()
    data, _ = registry_of(data_dir)
    try:
        from foregate.app.training.open import open_learner, training_alone

        with training_alone(data) as alone:
            if not alone:
                typer.echo("foregate predict: another training is under way here", err=True)
                raise typer.Exit(EXIT_NOT_PROMOTED)
            with open_learner(data, to_file=tied) as learner:
                known = learner.orgs()
                if org is not None and org not in known:
                    typer.echo(f"foregate predict: no traffic of {org!r} was recorded here", err=True)
                    raise typer.Exit(EXIT_USAGE)
                found = {each: learner.learn(each, seed=seed) for each in ([org] if org is not None else known)}
    except OSError as error:
        typer.echo(f"foregate predict: {error}", err=True)
        raise typer.Exit(EXIT_RUNTIME) from error
    except ImportError as error:
        typer.echo(f'foregate predict: training needs more: pip install "foregate[train]" ({error})', err=True)
        raise typer.Exit(EXIT_USAGE) from error
    _show({each: learning for each, (learning, _) in found.items()}, [card for _, card in found.values()], output)
    outcomes = {learning.outcome for learning, _ in found.values()}
    if "failed" in outcomes:
        raise typer.Exit(EXIT_RUNTIME)
    if "promoted" not in outcomes:
        raise typer.Exit(EXIT_NOT_PROMOTED)


def _show(learnings: dict[str, Learning], cards: list[str], output: str) -> None:
    if output == "json":
        typer.echo(msgspec.json.format(msgspec.json.encode(learnings)).decode())
        return
    for card in filter(None, cards):
        typer.echo(card)
    for org, learning in learnings.items():
        took = time.strftime("%M:%S", time.gmtime(learning.took_s))
        typer.echo(f"{org}: {learning.outcome} – {learning.sentence} (after {took})")
    if not learnings:
        typer.echo("no traffic was recorded here", err=True)
