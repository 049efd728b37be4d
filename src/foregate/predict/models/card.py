"""The model card: what the model learned from, how well it does, and how to make it again. As JSON and for people."""

from typing import Any, Final

import msgspec

from foregate.predict.evaluate.results import PartResult, Report, ScorerResult
from foregate.predict.evaluate.table import table
from foregate.predict.failures import HORIZON_S
from foregate.predict.random_labels import RandomLabels

CAUSE_EVENTS_MIN: Final = 5  # with fewer failures of a kind no word is said about whether it can be foreseen
FORESEEABLE_RECALL: Final = 0.5
BUDGET: Final = 0.5


class LearnedFrom(msgspec.Struct, frozen=True):
    """`moments`: rows of features; `failing`: the share of them that a failure follows within the alerting horizon."""

    systems: int
    apis: int
    days: float
    moments: int
    failing: float


class HorizonCard(msgspec.Struct, frozen=True):
    """`curve`: (false alarms per API and day, the score from which so many are raised)."""

    horizon_s: int
    trees: int
    curve: tuple[tuple[float, float], ...]


class Card(msgspec.Struct, frozen=True):
    """Lies beside the model file; `model_version` and `sha256` tie the two together.

    `shuffled`: PR-AUC and base rate of trees that learned labels dealt out at random; `random_labels` says more of
    them, None where only the PR-AUC was measured. `foreseeable`: the kinds of failure of which at least half were
    foreseen at half a false alarm per API and day, on systems never seen.
    """

    model_version: str
    sha256: str
    bytes: int
    feature_version: str
    features: tuple[str, ...]
    horizons: tuple[HorizonCard, ...]
    seed: int
    learned: LearnedFrom
    chosen: LearnedFrom
    shuffled: tuple[float, float]
    foreseeable: tuple[str, ...]
    command: str
    versions: dict[str, str]
    report: Report
    random_labels: RandomLabels | None = None


def encode_card(card: Card) -> bytes:
    """The card as JSON, a line per part of it: curves are long. Six significant digits are more than was measured."""
    parts = msgspec.to_builtins(card, builtin_types=()).items()
    lines = (msgspec.json.encode(name) + b":" + msgspec.json.encode(_rounded(value)) for name, value in parts)
    return b"{\n" + b",\n".join(lines) + b"\n}\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value


decode_card = msgspec.json.Decoder(Card).decode


def foreseeable(report: Report) -> tuple[str, ...]:
    """The kinds of which at least half were foreseen, over all parts of the alerting horizon."""
    failures: dict[str, int] = {}
    foreseen: dict[str, int] = {}
    for part in _alerting(report):
        for scorer in [each for each in part.scorers if not each.baseline][:1]:  # the model by the thresholds of others
            for cause, (events, hits) in _by_cause(scorer).items():
                failures[cause] = failures.get(cause, 0) + events
                foreseen[cause] = foreseen.get(cause, 0) + hits
    return tuple(
        cause
        for cause, events in sorted(failures.items())
        if cause and events >= CAUSE_EVENTS_MIN and foreseen[cause] >= FORESEEABLE_RECALL * events
    )


def _alerting(report: Report) -> tuple[PartResult, ...]:
    return next((h.parts for h in report.horizons if h.horizon_s == HORIZON_S), ())


def _by_cause(scorer: ScorerResult) -> dict[str, tuple[int, int]]:
    return next((at.by_cause for at in scorer.budgets if at.budget == BUDGET), {})


def render(card: Card) -> str:
    """The card as Markdown."""
    return "\n\n".join((_head(card), _data(card), table(card.report).replace("\n## ", "\n### ").strip(), _limits(card)))


def _head(card: Card) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(card.versions.items()))
    trees = ", ".join(f"{h.trees} for {h.horizon_s // 60} min" for h in card.horizons)
    return (
        f"# Model {card.model_version}\n\n"
        f"Risk that an API (service and route) begins to fail within {', '.join(_spans(card))} minutes. XGBoost "
        f"(trees: {trees}) on {len(card.features)} features relative to the API's own past, Platt calibration; "
        f"{card.bytes:,} bytes, sha256 `{card.sha256}`.\n\n"
        f"Made by `{card.command}` with {versions}."
    )


def _spans(card: Card) -> list[str]:
    return [str(h.horizon_s // 60) for h in card.horizons]


def _data(card: Card) -> str:
    learned, chosen = card.learned, card.chosen
    return (
        "## Data\n\n"
        "Minutes of simulated companies, each drawn anew (docs/explanations/lab-generator.md): no company belongs to "
        "two parts.\n\n"
        f"- To learn: {learned.systems} companies, {learned.apis:,} APIs, {learned.days:,.0f} API days; "
        f"{learned.moments:,} moments of them, {learned.failing:.1%} with a failure ahead.\n"
        f"- To choose the number of trees, the calibration and the thresholds: {chosen.systems} others, "
        f"{chosen.apis:,} APIs, {chosen.days:,.0f} API days.\n"
        f"- {_by_chance(card)}"
    )


def _by_chance(card: Card) -> str:
    pr_auc, base_rate = card.shuffled
    found = card.random_labels
    if found is None:
        return f"Labels dealt out at random give PR-AUC {pr_auc:.4f} at a base rate of {base_rate:.4f}."
    return (
        f"Leakage test: trees that learned labels tossed like a coin rank the real failures with ROC-AUC "
        f"{found.roc_auc:.3f} ± {found.spread:.3f} ({found.draws} draws; chance is 0.5) and PR-AUC {pr_auc:.4f} (base "
        f"rate {base_rate:.4f}); the same trees with the true labels reach ROC-AUC {found.true_roc_auc:.3f}."
    )


def _limits(card: Card) -> str:
    named = ", ".join(card.foreseeable) or "none"
    return (
        "## Limits\n\n"
        f"Foreseeable for this model (half or more, at half a false alarm per API and day): {named}.\n\n"
        "Trained on simulated companies alone; real systems fail in more ways. Crashes and bad deploys give no warning "
        "that windows could show. `foregate predict evaluate recorded` judges it on your own minutes, "
        "`foregate predict learn` trains on them.\n"
    )
