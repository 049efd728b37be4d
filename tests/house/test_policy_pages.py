"""Every page of a policy shows a whole configuration that loads, and is short."""

import re
from pathlib import Path

import pytest

from foregate.app.config import load

PAGES = sorted((Path(__file__).parents[2] / "docs" / "policies").glob("*.md"))
LINES_MAX = 60
INDEX_LINES_MAX = 90  # it has a row for each page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_load(page: Path, tmp_path: Path) -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    assert examples, "a page needs an example"
    for example in examples:
        file = tmp_path / "foregate.yaml"
        file.write_text(example)
        assert load(file, {"SECRET": "a secret of the examples"}).config.services or "services" not in example


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_short(page: Path) -> None:
    assert len(page.read_text().splitlines()) <= (INDEX_LINES_MAX if page.stem == "README" else LINES_MAX)
