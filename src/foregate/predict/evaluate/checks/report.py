"""The report of endpoint check histories: what was found, as messages, and what people read of it."""

import msgspec


class AtBudget(msgspec.Struct, frozen=True):
    """At the threshold that the other sources chose for a budget of false alarms per endpoint and day."""

    budget_per_day: float
    recall: float
    first_recall: float  # of endpoints' first failures
    precision: float | None  # None without an alarm
    false_per_day: float
    median_lead_s: float | None  # None without a hit
    pages: int


class ScorerReport(msgspec.Struct, frozen=True):
    """One way of scoring. `matched_recall`: at the lowest threshold whose realised rate is ≤ 0.1 on these sources.

    `fresh_pr_auc`: on moments before the endpoint's first failure. `brier`: None for scores that are no probability.
    """

    name: str
    pr_auc: float
    fresh_pr_auc: float
    brier: float | None
    matched_recall: float
    matched_first_recall: float
    matched_false_per_day: float
    budgets: tuple[AtBudget, ...]


class Difference(msgspec.Struct, frozen=True):
    """Foregate's score minus persistence. The interval holds 95 % of the paired resamples of `unit`."""

    metric: str
    unit: str  # "endpoint" or "source"
    difference: float
    low: float
    high: float
    above_zero: float  # share of the resamples

    @property
    def certain(self) -> bool:
        """The interval excludes zero, on the good side."""
        return self.low > 0


class SourceReport(msgspec.Struct, frozen=True):
    """One source, judged by what was learned on the others. Recall at the pooled, matched threshold."""

    name: str
    endpoints: int
    endpoint_days: float
    failures: int
    base_rate: float
    pr_auc: float
    persistence_pr_auc: float
    recall: float
    persistence_recall: float


class Part(msgspec.Struct, frozen=True):
    """All numbers for one horizon on one set of sources."""

    title: str
    horizon_h: int
    moments: int
    base_rate: float
    fresh_moments: int
    fresh_base_rate: float
    endpoints: int
    endpoint_days: float
    failures: int
    first_failures: int
    scorers: tuple[ScorerReport, ...]
    differences: tuple[Difference, ...]
    sources: tuple[SourceReport, ...]
    brier_base_rate: float
    shuffled_pr_auc: float  # learned and judged on labels dealt at random: must be near the base rate


class ChecksReport(msgspec.Struct, frozen=True):
    """Everything said about a file. `sentences`: the first of the `skipped` lines, and what is wrong with them."""

    seed: int
    rows: int
    skipped: int
    sentences: tuple[str, ...]
    model: str
    parts: tuple[Part, ...]


def table(report: ChecksReport) -> str:
    """The report as Markdown."""
    lines = [f"{report.rows} lines, {report.skipped} of them left out as unreadable. Seed {report.seed}."]
    lines += [f"- {sentence}" for sentence in report.sentences]
    for part in report.parts:
        lines += ["", *_part(part, report.model)]
    return "\n".join(lines) + "\n"


def _part(part: Part, model: str) -> list[str]:
    return [
        f"### {part.title}, horizon {part.horizon_h} h",
        "",
        _sizes(part, model),
        "",
        *_scorers(part, model),
        "",
        *_budgets(part, model),
        "",
        *_differences(part),
        "",
        *_sources(part),
    ]


def _sizes(part: Part, model: str) -> str:
    return (
        f"{part.endpoints} endpoints of {len(part.sources)} sources, {part.endpoint_days:,.0f} endpoint days, "
        f"{part.moments:,} moments with a base rate of {part.base_rate:.4f}; {part.failures} failures, "
        f"{part.first_failures} of them the first of their endpoint ({part.fresh_moments:,} moments before it, base "
        f"rate {part.fresh_base_rate:.4f}). Brier score of the base rate: {part.brier_base_rate:.5f}. With labels "
        f"dealt at random on all sources the {model} has a PR-AUC of {part.shuffled_pr_auc:.4f}."
    )


def _scorers(part: Part, model: str) -> list[str]:
    lines = [
        "| score | PR-AUC | before the first failure | Brier | recall at ≤0.1 realised | first failures | realised |",
        "|---|---|---|---|---|---|---|",
    ]
    for s in part.scorers:
        brier = "–" if s.brier is None else f"{s.brier:.5f}"
        lines.append(
            f"| {_named(s.name, model)} | {s.pr_auc:.3f} | {s.fresh_pr_auc:.4f} | {brier} | {s.matched_recall:.3f} | "
            f"{s.matched_first_recall:.3f} | {s.matched_false_per_day:.3f} |"
        )
    return lines


def _budgets(part: Part, model: str) -> list[str]:
    lines = [
        "| score | budget | recall | first failures | precision | realised | median lead | alarms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for s in part.scorers:
        for at in s.budgets:
            precision = "–" if at.precision is None else f"{at.precision:.3f}"
            lead = "–" if at.median_lead_s is None else f"{at.median_lead_s / 3600:.1f} h"
            lines.append(
                f"| {_named(s.name, model)} | {at.budget_per_day:g} | {at.recall:.3f} | {at.first_recall:.3f} | "
                f"{precision} | {at.false_per_day:.3f} | {lead} | {at.pages} |"
            )
    return lines


def _differences(part: Part) -> list[str]:
    lines = [
        "| minus persistence | drawn anew by | difference | 95 % interval | resamples above 0 |",
        "|---|---|---|---|---|",
    ]
    return lines + [
        f"| {d.metric} | {d.unit} | {d.difference:+.3f} | {d.low:+.3f} to {d.high:+.3f} | {d.above_zero:.1%} |"
        for d in part.differences
    ]


def _sources(part: Part) -> list[str]:
    lines = [
        "| source | endpoints | endpoint days | failures | base rate | PR-AUC | persistence | recall | persistence |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for s in part.sources:
        said = [f"{v:.3f}" if s.failures else "–" for v in (s.pr_auc, s.persistence_pr_auc)]
        said += [f"{v:.3f}" if s.failures else "–" for v in (s.recall, s.persistence_recall)]
        lines.append(
            f"| {s.name} | {s.endpoints} | {s.endpoint_days:,.0f} | {s.failures} | {s.base_rate:.4f} | "
            + " | ".join(said)
            + " |"
        )
    return lines


def _named(name: str, model: str) -> str:
    return f"**{name}**" if name == model else name
