"""The card of the model in force, as the console shows it, without loading what judges by the model."""

import json
from pathlib import Path
from typing import Annotated, Any

import msgspec

from foregate.app.models.bundled import FOLDER
from foregate.wire.budget import FIXED_DEFAULT, HORIZON_S, score_for

Rate = Annotated[float, msgspec.Meta(gt=0)]


class _Horizon(msgspec.Struct):
    horizon_s: int
    curve: tuple[tuple[Rate, float], ...]  # (false alarms per API and day, the score from which so many are raised)


class _Priced(msgspec.Struct):
    """As much of a card as tells what its model's alerts cost."""

    horizons: tuple[_Horizon, ...] = ()


def card_beside(model_path: str | None) -> dict[str, Any] | None:
    """The card that lies beside a model file, or beside the bundled one; None where none can be read."""
    folder = Path(model_path).parent if model_path else FOLDER
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return card if isinstance(card, dict) else None


def threshold_of(fixed: float | None, per_day: float, card: dict[str, Any] | None) -> float:
    """The score from which alerts are raised: the one that was set, or the one that keeps to the budget by the card."""
    if fixed is not None:
        return fixed
    try:
        horizons = msgspec.convert(card or {}, _Priced).horizons
    except msgspec.ValidationError:  # of another foregate; the analyzer goes by the model's own file
        return FIXED_DEFAULT
    curve = next((horizon.curve for horizon in horizons if horizon.horizon_s == HORIZON_S), ())
    found = score_for(curve, per_day)
    return found if found is not None else curve[0][1] if curve else FIXED_DEFAULT
