"""docs/reference/telemetry-formats.md names every name that is taken."""

from pathlib import Path

from foregate.telemetry.formats.cleaning import ALIASES, IN_SECONDS
from foregate.telemetry.identity.conventions import AI, RESOURCE, RESOURCE_KEPT, SPAN

PAGE = Path("docs/reference/telemetry-formats.md")


def test_the_reference_names_every_name() -> None:
    page = PAGE.read_text()
    names = {name for table in (ALIASES, RESOURCE, SPAN, AI) for taken in table.values() for name in taken}
    missing = sorted(name for name in names | set(IN_SECONDS) | set(RESOURCE_KEPT) if f"`{name}`" not in page)
    assert missing == []


def test_the_first_name_of_a_field_is_its_own() -> None:
    assert [names[0] for names in ALIASES.values()] == list(ALIASES)
