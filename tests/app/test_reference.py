"""The reference is what the schema says now, and every example in the guides is a configuration that loads."""

import re
from pathlib import Path

import pytest

from foregate.app.config import load
from foregate.app.config.reference import reference

DOCS = Path(__file__).parents[2] / "docs"
_NAMES = "FOREGATE_DEMO_KEY ACME_KEY UPSTREAM_TOKEN ACME_SECRET OPENAI_API_KEY ANTHROPIC_API_KEY FOREGATE_KEY"
_SENDERS = "SHOP_INGEST_KEY SHOP_AWS_INGEST_KEY INGEST_KEY COLLECTOR_AUTHORIZATION"
_STORES = "FOREGATE_PG_PASSWORD KAFKA_PASSWORD"
ENVIRON = {name: f"fg_demo_0123456789abcdef_{name}" for name in f"{_NAMES} {_SENDERS} {_STORES}".split()}
EXAMPLES = [
    pytest.param(text, id=f"{page.name}-{number}")
    for page in [*sorted((DOCS / "guides").glob("*.md")), DOCS.parent / "README.md"]
    for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL))
]


def test_the_reference_is_fresh() -> None:
    page = (DOCS / "reference" / "configuration.md").read_text()
    assert page == reference(), "run: foregate config reference > docs/reference/configuration.md"


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_of_the_guides_loads(text: str, tmp_path: Path) -> None:
    file = tmp_path / "foregate.yaml"
    file.write_text(text)
    load(file, ENVIRON)
