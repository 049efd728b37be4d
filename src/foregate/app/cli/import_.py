"""`foregate import`: access logs of other gateways and servers, HAR files, into the windows and the archive."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from foregate.adapters.embedded.blocks import open_blocks
from foregate.app.bus import open_bus
from foregate.app.cli.refusal import EXIT_RUNTIME, EXIT_USAGE
from foregate.app.cli.up import DataDirectory
from foregate.app.importing import BadImport, Outcome, Wanted, import_file
from foregate.app.importing.journal import Journal
from foregate.app.importing.making import Belonging
from foregate.app.importing.run import MALFORMED_LISTED_MAX, Malformed
from foregate.app.paths import DataDir
from foregate.app.runtime import read_runtime
from foregate.kernel.clock import SystemClock
from foregate.telemetry.formats.logs import FORMATS, LineFormat, find
from foregate.telemetry.formats.logs.json_lines import JsonLines
from foregate.telemetry.ingest.counts import IMPORT_ROW, INTAKE_ROWS, Counts

EXIT_FINDINGS = 1


def register(app: typer.Typer) -> None:
    app.command(name="import")(import_logs)


def import_logs(
    files: Annotated[list[Path], typer.Argument(help="Log files, oldest first; .gz, .bz2 and .xz are unpacked.")],
    data_dir: DataDirectory = Path(".foregate"),
    format_name: Annotated[
        str | None, typer.Option("--format", help=f"{', '.join(FORMATS)} or har; guessed when not given.")
    ] = None,
    org: Annotated[str, typer.Option(help="Whose traffic it is.")] = "default",
    service: Annotated[str, typer.Option(help="For all lines; else what the line says, or its host.")] = "",
    environment: Annotated[str, typer.Option()] = "production",
    region: Annotated[str, typer.Option()] = "",
    cloud: Annotated[str, typer.Option()] = "",
    instance: Annotated[str, typer.Option(help="The machine that served it.")] = "",
    field: Annotated[list[str], typer.Option(help="Of JSON logs: ours=theirs, such as latency_s=took.")] = [],  # noqa: B006
    again: Annotated[bool, typer.Option("--again", help="From the beginning, though it was imported before.")] = False,
    rejects: Annotated[Path | None, typer.Option(help="Write every malformed line there, with its reason.")] = None,
) -> None:
    """Import the past: access logs (Apache, nginx, Envoy, Kong, CloudFront, JSON) and HAR files.

    Interrupted, it goes on where it was; a file that has grown is imported from there. Exit status 1 when there were
    malformed lines: they are counted and listed, the others are imported.
    """
    belonging = Belonging(org, service, environment, region, cloud, instance)
    malformed = 0
    with ExitStack() as stack:
        try:
            make = _maker(field)
            listed = stack.enter_context(rejects.open("a")) if rejects is not None else None
            desk = _Desk(DataDir(data_dir), stack)
            for path in files:
                outcome = desk.take(Wanted(path, belonging, format_name, again), make, _rejecter(path, listed))
                malformed += outcome.malformed_count
                _say(path, outcome)
        except (BadImport, ValueError) as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(EXIT_USAGE) from None
        except (OSError, EOFError) as error:
            typer.echo(f"error: {error}", err=True)
            typer.echo("what was read before is imported; the same command goes on from there.", err=True)
            raise typer.Exit(EXIT_RUNTIME) from None
    raise typer.Exit(EXIT_FINDINGS if malformed else 0)


class _Desk:
    """The bus, the journal and the accounts of one data directory. Raises BadImport, OSError."""

    def __init__(self, data: DataDir, stack: ExitStack) -> None:
        if not data.settings.exists():
            raise BadImport(
                f"no foregate has run with {data.root}: start it there once (foregate up), or name --data-dir"
            )
        self._clock = SystemClock()
        self._bus = stack.enter_context(closing(open_bus(data, read_runtime(data).bus, self._clock)))
        self._journal = stack.enter_context(closing(Journal(data.root / "imports.json")))
        self._counts = Counts(stack.enter_context(closing(open_blocks(data.ingest_counts, INTAKE_ROWS, IMPORT_ROW))))

    def take(self, wanted: Wanted, make: Callable[[str], LineFormat], reject: Callable[[Malformed], None]) -> Outcome:
        """Import a file, with a progress bar."""
        counted = (0, 0, 0)

        def count(outcome: Outcome) -> None:  # slice by slice: the import may be interrupted
            nonlocal counted
            now = (outcome.imported - outcome.already, outcome.already, outcome.malformed_count)
            adders = (self._counts.stored, self._counts.duplicate, self._counts.invalid)
            for add, number, before in zip(adders, now, counted, strict=True):
                add("events", number - before)
            counted = now

        with typer.progressbar(length=max(1, wanted.path.stat().st_size), label=wanted.path.name) as bar:
            tell = _teller(bar, count)
            return import_file(wanted, self._bus, self._journal, self._clock, make, tell, reject)


def _maker(fields: list[str]) -> Callable[[str], LineFormat]:
    own = dict(each.partition("=")[::2] for each in fields)
    if any(not theirs for theirs in own.values()):
        raise ValueError("--field needs ours=theirs, such as --field latency_s=took")
    json_lines = JsonLines(own)
    return lambda name: json_lines if name == "json" else find(name)


def _teller(bar: Any, count: Callable[[Outcome], None]) -> Callable[[int, Outcome], None]:
    shown = 0

    def tell(position: int, outcome: Outcome) -> None:
        nonlocal shown
        count(outcome)
        bar.update(position - shown)
        shown = position

    return tell


def _rejecter(path: Path, listed: IO[str] | None) -> Callable[[Malformed], None]:
    def reject(each: Malformed) -> None:
        if listed is not None:
            listed.write(f"{path}:{each.line}: {each.reason}: {each.text}\n")

    return reject


def _say(path: Path, outcome: Outcome) -> None:
    known = outcome.progress.lines - outcome.lines
    before = f" ({known:,} lines before)" if known else ""
    typer.echo(f"{path}: {outcome.format_name}, {outcome.lines:,} lines, {outcome.imported:,} imported{before}")
    if outcome.already:
        typer.echo(f"  {outcome.already:,} of them were there already")
    if outcome.malformed_count:
        typer.echo(f"  {outcome.malformed_count:,} malformed:", err=True)
        for each in outcome.malformed:
            typer.echo(f"    line {each.line}: {each.reason}: {each.text}".rstrip(": "), err=True)
        if outcome.malformed_count > MALFORMED_LISTED_MAX:
            typer.echo("    … (all of them with --rejects FILE)", err=True)
