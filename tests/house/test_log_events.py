"""Events in the log have one style of name, so that people can search for them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "foregate"
EVENT = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LOGS = {"log", "_log"}
LEVELS = {"debug", "info", "warning", "error", "exception"}
SAY = {"health_changed": 1}  # what says it for others, and which argument is the name


def events(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of everything that is logged under a name written on the spot."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and (name := _named_by(call)) is not None:
            for each in ast.walk(name):
                if isinstance(each, ast.Constant) and isinstance(each.value, str):
                    yield call.lineno, each.value


def _named_by(call: ast.Call) -> ast.expr | None:
    """The expression that holds the event's name."""
    called = call.func
    last = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
    if last in LEVELS and isinstance(called, ast.Attribute):
        logger = called.value
        of = logger.attr if isinstance(logger, ast.Attribute) else logger.id if isinstance(logger, ast.Name) else ""
        at = 0 if of in LOGS else None
    elif last == "failed":
        at = 0 if isinstance(called, ast.Attribute) and "failures" in ast.dump(called.value) else None
    else:
        at = 0 if last in LOGS else SAY.get(last)
    return call.args[at] if at is not None and len(call.args) > at else None


def test_every_event_is_named_in_snake_case() -> None:
    found = [
        (path.relative_to(SOURCE), line, name)
        for path in SOURCE.rglob("*.py")
        for line, name in events(ast.parse(path.read_text()))
    ]
    assert len(found) > 60
    assert [each for each in found if EVENT.fullmatch(each[2].strip("_")) is None] == []
