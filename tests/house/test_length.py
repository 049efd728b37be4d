"""Small files and functions: the limits, and a list of exceptions that may only shrink."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
# path → lines it has today. An entry may only shrink or go; a new one needs a reason in the commit that adds it.
FILE_EXCEPTIONS: dict[str, int] = {}
FUNCTION_EXCEPTIONS: dict[str, int] = {}
GENERATED = [ROOT / "web/src/api/types.ts"]  # from our OpenAPI document: as long as the API is large


def sources() -> list[Path]:
    python = [*ROOT.glob("src/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("bench/**/*.py")]
    web = [path for kind in ("ts", "tsx", "css") for path in ROOT.glob(f"web/src/**/*.{kind}")]
    return [path for path in python + web if "bench/out" not in str(path) and path not in GENERATED]


def test_there_are_sources_to_measure() -> None:
    assert len(sources()) > 50


def test_no_file_is_longer_than_the_limit() -> None:
    lengths = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in sources()}
    too_long = {name: n for name, n in lengths.items() if n > FILE_EXCEPTIONS.get(name, FILE_LINES_MAX)}
    assert not too_long, f"split these by what they are about: {too_long}"
    slack = {name: n for name, n in FILE_EXCEPTIONS.items() if lengths.get(name, 0) < n}
    assert not slack, f"these have become shorter; lower their exception: {slack}"


def test_no_function_is_longer_than_the_limit() -> None:
    lengths: dict[str, int] = {}
    for path in sources():
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{path.relative_to(ROOT)}:{node.name}"
                lengths[name] = max(lengths.get(name, 0), (node.end_lineno or 0) - node.lineno + 1)
    too_long = {name: n for name, n in lengths.items() if n > FUNCTION_EXCEPTIONS.get(name, FUNCTION_LINES_MAX)}
    assert not too_long, f"split these by what they decide: {too_long}"
    slack = {name: n for name, n in FUNCTION_EXCEPTIONS.items() if lengths.get(name, 0) < n}
    assert not slack, f"these have become shorter; lower their exception: {slack}"
