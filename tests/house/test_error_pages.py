"""Every error code has a page, and every page a code."""

import re
from pathlib import Path

from foregate.kernel.errors import ERRORS

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "errors"
RAISED = re.compile(r'(?:ForegateError\(\s*|ERRORS\[)"([a-z_]+)"')


def test_every_code_has_a_page_that_gives_its_status_and_says_what_to_do() -> None:
    for code, spec in ERRORS.items():
        page = (PAGES / f"{code}.md").read_text()
        assert page.startswith(f"# {code}\n"), code
        assert f"Status {spec.status}" in page, code
        assert "## What to do" in page, code


def test_every_page_has_a_code() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} == set(ERRORS)


def test_every_code_that_is_raised_is_in_the_table() -> None:
    unknown = {
        (str(path.relative_to(ROOT)), code)
        for path in ROOT.glob("src/**/*.py")
        for code in RAISED.findall(path.read_text())
        if code not in ERRORS
    }
    assert not unknown
