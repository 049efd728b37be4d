"""The prior model's files, found without loading what judges by them."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "predict/models/bundled"


def bundled_card() -> str:
    """Its card in Markdown. Raises OSError."""
    return (FOLDER / "card.md").read_text(encoding="utf-8")


def bundled_content() -> bytes:
    """The model file. Raises OSError."""
    return (FOLDER / "model.fgm").read_bytes()
