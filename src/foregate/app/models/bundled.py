"""The prior model's files, found without loading what judges by them."""

from pathlib import Path
from typing import Final

import msgspec

FOLDER: Final = Path(__file__).parents[2] / "predict/models/bundled"


def bundled_card() -> str:
    """Its card in Markdown. Raises OSError."""
    return (FOLDER / "card.md").read_text(encoding="utf-8")


class _Card(msgspec.Struct):
    model_version: str


def bundled_version() -> str:
    """The version that its card is of. Raises OSError, msgspec.DecodeError."""
    return msgspec.json.decode((FOLDER / "card.json").read_bytes(), type=_Card).model_version


def bundled_content() -> bytes:
    """The model file. Raises OSError."""
    return (FOLDER / "model.fgm").read_bytes()


def bundled_reference() -> bytes | None:
    """What it learned from, as far as that lies beside it. Raises OSError."""
    path = FOLDER / "reference.json"
    return path.read_bytes() if path.exists() else None
