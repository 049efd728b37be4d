"""The card of a model of own traffic: what it learned from, what it was judged by, and what it can foresee."""

import time
from typing import Final

import msgspec

from foregate.predict.registry.comparison import Figures, Gain
from foregate.predict.registry.parts import CHOOSE_UNTIL, LEARN_UNTIL
from foregate.predict.registry.signatures import WITHOUT_WARNING

FORESEEABLE_SHARE: Final = 0.5  # of the failures of one signature
FORESEEABLE_MIN: Final = 3  # failures of a signature: fewer show nothing


class OwnCard(msgspec.Struct, frozen=True):
    """Lies beside the model; `model_version` and `sha256` tie the two together.

    `figures` and `gains` are of the later part alone, at thresholds from the part before; `unseen`: there, on APIs that
    the model did not learn from. `signatures`: how failures announced themselves → (failures, foreseen).
    """

    model_version: str
    org: str
    sha256: str
    bytes: int
    made_s: float
    from_s: float
    until_s: float
    days: float
    failures: int
    apis: int
    left_out: int
    horizon_s: int
    budget: float
    seed: int
    command: str
    better: bool
    reason: str
    figures: dict[str, Figures]
    gains: tuple[Gain, ...]
    unseen: Figures | None
    signatures: dict[str, tuple[int, int]]

    def foreseeable(self) -> list[str]:
        """The signatures of which it foresaw half or more, where there were enough to tell."""
        return [
            name
            for name, (failures, foreseen) in self.signatures.items()
            if failures >= FORESEEABLE_MIN and foreseen >= FORESEEABLE_SHARE * failures
        ]


def encode_own_card(card: OwnCard) -> bytes:
    """The card as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(card)) + b"\n"


decode_own_card = msgspec.json.Decoder(OwnCard).decode


def render_own_card(card: OwnCard) -> str:
    """The card as Markdown."""
    return "\n\n".join((_head(card), _data(card), _results(card), _kinds(card), _limits(card))) + "\n"


def _day(time_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(time_s))


def _head(card: OwnCard) -> str:
    verdict = "Better than what served" if card.better else "Refused"
    return (
        f"# Model {card.model_version} of {card.org}\n\n"
        f"Risk that an API begins to fail within {card.horizon_s // 60} minutes, learnt from this organisation's own "
        f"traffic. {card.bytes:,} bytes, sha256 `{card.sha256}`; made {_day(card.made_s)} UTC by `{card.command}`.\n\n"
        f"**{verdict}**: {card.reason}."
    )


def _data(card: OwnCard) -> str:
    left = f" {card.left_out} APIs with less traffic are left out: there is a bound." if card.left_out else ""
    return (
        "## Data\n\n"
        f"{card.days:.1f} days of minutes from {_day(card.from_s)} to {_day(card.until_s)} UTC, {card.apis} APIs, "
        f"{card.failures} failures; labels by the failure definition, set by no one.{left}\n\n"
        f"The earliest {LEARN_UNTIL:.0%} of the time to learn, up to {CHOOSE_UNTIL:.0%} to choose trees, calibration "
        "and thresholds, the rest to judge, once. An hour is left out where the first two meet, a horizon where "
        "judging begins."
    )


def _results(card: OwnCard) -> str:
    rows = "\n".join(f"| {name} | {_cells(each)} | {_ahead(card, name)} |" for name, each in card.figures.items())
    unseen = (
        f"On APIs it never learnt from: PR-AUC {card.unseen.pr_auc:.3f}, recall {card.unseen.recall:.2f} at "
        f"{card.unseen.false_per_day:.2f} false alarms per API and day."
        if card.unseen is not None
        else "There are too few APIs to keep some out: what it is worth on a new API is not known."
    )
    return (
        "## Results on later traffic\n\n"
        f"At thresholds chosen before for {card.budget:g} false alarms per API and day; a hit needs a lead of two "
        "minutes. By how much the model is ahead at least (39 of 40 resamples by API) stands last.\n\n"
        "| score | PR-AUC | recall | false alarms per API and day | ahead by at least: PR-AUC, recall |\n"
        f"|---|---|---|---|---|\n{rows}\n\n{unseen}"
    )


def _cells(figures: Figures) -> str:
    return f"{figures.pr_auc:.3f} | {figures.recall:.2f} | {figures.false_per_day:.2f}"


def _ahead(card: OwnCard, name: str) -> str:
    gain = next((gain for gain in card.gains if gain.other == name), None)
    return "" if gain is None else f"{gain.pr_auc_low:+.3f}, {gain.recall_low:+.2f}"


def _kinds(card: OwnCard) -> str:
    rows = "\n".join(f"| {name} | {count} | {seen} |" for name, (count, seen) in card.signatures.items())
    foreseeable = ", ".join(card.foreseeable()) or "none shown yet"
    return (
        "## Which failures it can foresee\n\n"
        "Nobody has named the causes of these failures, so none are listed here. They are told apart by what showed "
        "itself first in the minutes before them:\n\n"
        f"| signature | failures | foreseen |\n|---|---|---|\n{rows}\n\n"
        f"Foreseeable for this model (half or more, of at least {FORESEEABLE_MIN}): {foreseeable}."
    )


def _limits(card: OwnCard) -> str:
    mute, _ = card.signatures.get(WITHOUT_WARNING, (0, 0))
    total = sum(count for count, _ in card.signatures.values())
    return (
        "## Limits\n\n"
        f"{mute} of the {total} later failures came without warning: no window shows what has not begun. The figures "
        "hold for traffic like that of the last weeks; whether it still is like that, `foregate predict models` says."
    )
