"""The model card: what the model learned from, how well it does, and how to make it again. As JSON and for people."""

import msgspec

from foregate.predict.evaluate.report import AtBudget, Report, ScorerReport


class Card(msgspec.Struct, frozen=True):
    """Lies beside the model file; `model_version` and `sha256` tie the two together."""

    model_version: str
    sha256: str
    bytes: int
    feature_version: str
    features: tuple[str, ...]
    trees: int
    horizon_s: int
    seed: int
    seeds: dict[str, tuple[int, int]]  # part → first and last seed of its runs
    learned_moments: int
    learned_failures: int
    budget_threshold: float | None
    shuffled_pr_auc: float
    command: str
    versions: dict[str, str]
    report: Report


def encode_card(card: Card) -> bytes:
    """The card as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(card)) + b"\n"


decode_card = msgspec.json.Decoder(Card).decode


def _lead(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds / 60:.1f} min"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _row(scorer: ScorerReport) -> str:
    cells = [f"{scorer.pr_auc:.3f}"]
    cells += [f"{_share(at.recall)} ({_share(at.precision)}, {at.false_per_day:.2f})" for at in scorer.budgets]
    cells.append(_lead(scorer.budgets[1].median_lead_s))
    return f"| {scorer.name} | " + " | ".join(cells) + " |"


def _fixed(at: AtBudget) -> str:
    return (
        f"- From a score of {at.threshold}: {_share(at.before)} of the failures are alarmed before their first failing "
        f"minute, {_share(at.recall)} at least two minutes before (median lead {_lead(at.median_lead_s)}); precision "
        f"{_share(at.precision)}; {at.false_per_day:.2f} false alarms per API and day."
    )


def render(card: Card) -> str:
    """The card as Markdown."""
    sections = (_head(card), _data(card), _results(card), _causes(card), _limits())
    return "\n\n".join(sections) + "\n"


def _head(card: Card) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(card.versions.items()))
    return (
        f"# Model {card.model_version}\n\n"
        f"Risk that an API (service and route) begins to fail within {card.horizon_s // 60} minutes. XGBoost, "
        f"{card.trees} trees on {len(card.features)} features relative to the API's own past, Platt calibration; "
        f"{card.bytes:,} bytes, sha256 `{card.sha256}`.\n\n"
        f"Made by `{card.command}` with {versions}."
    )


def _data(card: Card) -> str:
    r = card.report
    seeds = {part: f"{low}–{high}" for part, (low, high) in card.seeds.items()}
    return (
        "## Data\n\n"
        "Lab runs of one hour, each in a world drawn anew: speeds, sizes, traffic, faults of all kinds, look-alikes; "
        "a fifth of the gradual faults heal. A run belongs to one part only.\n\n"
        f"- To learn and to choose: natural runs {seeds['natural']}, as they come. Number of trees, calibration and "
        "thresholds come from scores by trees that had not seen the run (5 folds of whole runs).\n"
        f"- To learn alone: dense runs {seeds['dense']}, with two or three gradual faults each.\n"
        f"- Together {card.learned_moments:,} moments and {card.learned_failures} failures.\n"
        f"- Test, as they come, judged once: runs {seeds['test']}: {r.moments:,} healthy moments of {r.series} APIs "
        f"({r.api_days:.1f} API days), {r.failures} failures."
    )


def _results(card: Card) -> str:
    r = card.report
    chosen = "none did" if card.budget_threshold is None else f"{card.budget_threshold:.3f}"
    curve = ", ".join(f"{p:.2f} → {o:.2f} ({n:,})" for p, o, n in r.reliability)
    fixed = "\n".join(_fixed(at) for at in r.fixed)
    rows = "\n".join((_row(r.model), *(_row(baseline) for baseline in r.baselines)))
    return (
        "## Results on the test runs\n\n"
        "Recall (precision, realised false alarms per API and day) at thresholds chosen without the test runs, each "
        "for a budget of false alarms per API and day. A hit needs a lead of two minutes. The base rate of moments is "
        f"{r.base_rate:.3f}: that is the PR-AUC of a random score.\n\n"
        "| score | PR-AUC | budget 0.1 | budget 0.5 | budget 2 | median lead at 0.5 |\n|---|---|---|---|---|---|\n"
        f"{rows}\n\n{fixed}\n- The threshold chosen for the 0.5 budget: {chosen}.\n\n"
        f"Brier {r.brier:.4f} against {r.brier_base_rate:.4f} for the base rate alone. Calibration (mean predicted → "
        f"observed, moments): {curve}.\n\n"
        f"Labels dealt out at random: PR-AUC {card.shuffled_pr_auc:.3f} at base rate {r.base_rate:.3f}."
    )


def _causes(card: Card) -> str:
    rows = "\n".join(
        f"| {cause} | {events} | {budget} | {low} | {high} |"
        for cause, (events, budget, low, high) in card.report.by_cause.items()
    )
    foreseeable = ", ".join(card.report.foreseeable()) or "none"
    return (
        "Failures by cause, and how many of them were foreseen two minutes ahead or more:\n\n"
        "| cause | failures | at budget 0.5 | from score 0.5 | from score 0.8 |\n|---|---|---|---|---|\n"
        f"{rows}\n\nForeseeable for this model (half or more from score 0.5): {foreseeable}."
    )


def _limits() -> str:
    return (
        "## Limits\n\n"
        "Trained on simulated services alone; real systems fail in more ways. Crashes and bad deploys give no warning "
        "that windows could show. A budget below one false alarm in all test days cannot be told apart from zero."
    )
