"""A report for people, as Markdown."""

from foregate.predict.evaluate.intervals import Interval
from foregate.predict.evaluate.paging import DETAIL_AT
from foregate.predict.evaluate.results import (
    AtBudget,
    Difference,
    ForeseenResult,
    MeasuredResult,
    PartResult,
    Report,
    ScorerResult,
)

_NONE = "–"
_HOW_TO_READ = (
    "Recall at a budget of false alarms per API and day (those realised, precision of the pages); “exactly”: at the "
    "threshold that would have met the budget here, known only afterwards."
)
_HOW_TO_READ_MEASURED = (
    "Recall, and false alarms per API and day, by the same thresholds in the systems that measure something at any API "
    "and in those that do not. These systems differ in other things too: the baselines on plain windows read none of "
    "these signals, so what they gain or lose between two rows is not the signal's doing."
)


def table(report: Report) -> str:
    """Every part of every horizon: one row per score, then failures foreseen by cause and by what is measured."""
    lines = [f"# {report.title}" if report.title else "# Evaluation", ""]
    lines.append(
        "A hit is a page at least two minutes before the first bad minute; a page is valid for one horizon, then pages "
        "again; only healthy moments are judged. "
        f"Here {report.thresholds}. In brackets: 95 % intervals by API ({report.resamples:,} resamples, seed "
        f"{report.seed}); “ahead”: of the best other baseline."
    )
    lines += ["", *(f"- {note}" for note in report.notes)]
    for horizon in report.horizons:
        for part in horizon.parts:
            lines += ["", f"## {part.name}, horizon {_span(horizon.horizon_s)}", "", _facts(part), ""]
            lines += _scores(part) if part.moments else ["Nothing here can be judged: too short, or never healthy."]
    return "\n".join([*lines, ""])


def _facts(part: PartResult) -> str:
    return (
        f"{part.systems} system{'s' * (part.systems != 1)}, {part.entities:,} APIs, {part.api_days:,.1f} API days "
        f"({part.moments:,} healthy moments), {part.failures:,} failures, {part.first_failures:,} of them an API's "
        f"first. A random score has PR-AUC {part.base_rate:.4f} (before first failures {part.first_base_rate:.4f})."
    )


def _scores(part: PartResult) -> list[str]:
    budgets = [at.budget for at in part.scorers[0].budgets] if part.scorers else []
    head = ["score", "PR-AUC", "ahead", "first failures", "Brier (base)"]
    head += [f"recall at {budget:g}" for budget in budgets] + [
        f"ahead at {DETAIL_AT:g}",
        f"recall at exactly {DETAIL_AT:g}",
        "lead",
    ]
    lines = _grid(head, [_cells(scorer) for scorer in part.scorers])
    lines += ["", _HOW_TO_READ, ""]
    lines += _fixed(part)
    blocks = [block for block in (_causes(part), *_measured(part)) if block]
    return lines + [line for block in blocks for line in (*block, "")][:-1]


def _cells(scorer: ScorerResult) -> list[str]:
    at_half = _half(scorer)
    brier = _NONE if scorer.brier is None else f"{scorer.brier:.4f} ({scorer.brier_base:.4f})"
    name = scorer.name if scorer.baseline else f"**{scorer.name}**"
    cells = [name, f"{scorer.pr_auc:.3f}{_bracket(scorer.pr_auc_interval)}", _difference(scorer.over)]
    cells += [f"{scorer.first_pr_auc:.3f}", brier]
    cells += [_recall(at) for at in scorer.budgets]
    matched = _NONE if at_half is None else f"{at_half.matched_recall:.2f}"
    return [*cells, _difference(at_half.over if at_half else None), matched, _lead(at_half)]


def _recall(at: AtBudget) -> str:
    over = "" if at.within else "!"
    precision = _NONE if at.precision is None else f"{at.precision:.2f}"
    shown = _bracket(at.recall_interval) if at.budget == DETAIL_AT else ""
    return f"{at.recall:.2f}{shown} ({at.false_per_day:.2f}{over}, {precision})"


def _fixed(part: PartResult) -> list[str]:
    lines = [
        f"- {scorer.name} from {at.threshold:g}: recall {at.recall:.2f}, before the first bad minute {at.before:.2f}, "
        f"false alarms {at.false_per_day:.2f} per API and day, lead {_lead(at)}."
        for scorer in part.scorers
        for at in scorer.fixed
    ]
    late = [s.name for s in part.scorers if any(not at.within for at in s.budgets)]
    if late:
        lines.append(f"- “!”: more than 1.25 times the budget in false alarms ({', '.join(late)}).")
    return [*lines, ""] if lines else []


def _causes(part: PartResult) -> list[str]:
    if not part.causes or set(part.causes) == {"unknown"}:
        return []
    head = [f"foreseen at {DETAIL_AT:g}, by cause", *(f"{cause} ({n})" for cause, n in part.causes.items())]
    rows = []
    for scorer in part.scorers:
        at = _half(scorer)
        found = at.by_cause if at else {}
        rows.append([scorer.name, *(f"{found.get(c, (0, 0))[1] / n:.2f}" for c, n in part.causes.items())])
    return _grid(head, rows)


def _measured(part: PartResult) -> list[list[str]]:
    """A row for each group that is neither empty nor the whole part; what all or none measure is a sentence."""
    rows = [
        [_group(group), str(group.systems), f"{group.failures:,}", *(_foreseen(scorer) for scorer in group.scorers)]
        for group in part.by_measured
        if 0 < group.systems < part.systems
    ]
    if not rows:
        return [_by_all_or_none(part)]
    names = [scorer.name for scorer in part.by_measured[0].scorers]
    head = [f"foreseen at {DETAIL_AT:g}, by what is measured", "systems", "failures", *names]
    return [_grid(head, rows), [_HOW_TO_READ_MEASURED], _by_all_or_none(part)]


def _by_all_or_none(part: PartResult) -> list[str]:
    said = []
    for which, who in (("all", "Every"), ("none", "No")):
        names = [
            group.signals[0]
            for group in part.by_measured
            if len(group.signals) == 1 and group.measured == which and group.systems == part.systems
        ]
        said += [f"{who} system here measures {', '.join(names)}."] if names else []
    return [" ".join(said)] if said else []


def _group(of: MeasuredResult) -> str:
    names = ", ".join(of.signals)
    if len(of.signals) == 1:
        return names if of.measured == "all" else f"no {names}"
    return {"none": "none of ", "any": "at least one of ", "all": "all of "}[of.measured] + names


def _foreseen(of: ForeseenResult) -> str:
    recall = _NONE if of.recall is None else f"{of.recall:.2f}{_bracket(of.recall_interval)}"
    return f"{recall} ({of.false_per_day:.2f})"


def _grid(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _half(scorer: ScorerResult) -> AtBudget | None:
    return next((at for at in scorer.budgets if at.budget == DETAIL_AT), None)


def _lead(at: AtBudget | None) -> str:
    return _NONE if at is None or at.median_lead_min is None else f"{at.median_lead_min:.0f} min"


def _difference(of: Difference | None) -> str:
    return _NONE if of is None else f"{of.value:+.3f}{_bracket(of.interval)} {of.other}"


def _bracket(of: Interval | None) -> str:
    return "" if of is None else f" [{of.low:.2f}, {of.high:.2f}]"


def _span(seconds: int) -> str:
    return f"{seconds // 60} min" if seconds < 7_200 else f"{seconds // 3_600} h"
