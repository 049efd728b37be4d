"""What the labelled series say of each scorer, as a value and as a table."""

from __future__ import annotations

import msgspec

from foregate.predict.evaluate.labelled.scorers import SCORERS

PARTS = ("development", "test", "all")


class Mean(msgspec.Struct, frozen=True):
    """One scorer over one part. VUS-PR by the longest buffer (samples); `groups`: of buffer 100, by group.

    `recall` of labelled ranges and `false_alarms_per_day` (per series) at the one threshold chosen on the development
    part for at most one false alarm per series and day; on all series where there is no development part.
    """

    scorer: str
    part: str
    series: int
    vus_pr_100: float
    vus_pr_50: float
    vus_pr_0: float
    groups: dict[str, float]
    recall: float
    false_alarms_per_day: float


class Alarms(msgspec.Struct, frozen=True):
    """The default configuration's own alarms, p ≤ the stated rate: nothing is chosen by labels."""

    part: str
    stated_per_day: float
    recall: float
    false_alarms_per_day: float


class SeriesResult(msgspec.Struct, frozen=True):
    """One series: VUS-PR (buffer 100) by scorer."""

    name: str
    development: bool
    samples: int
    labelled: float  # share of its samples
    vus_pr: dict[str, float]


class LabelledReport(msgspec.Struct, frozen=True):
    """The result of one folder. Series without any label are left out and counted."""

    seed: int
    series: int
    without_label: int
    means: tuple[Mean, ...]
    alarms: tuple[Alarms, ...]
    results: tuple[SeriesResult, ...]


def table(report: LabelledReport) -> str:
    """Markdown: the scorers by part, then by group."""
    by = {(mean.scorer, mean.part): mean for mean in report.means}
    groups = sorted({group for mean in report.means for group in mean.groups})
    counts = {part: by[SCORERS[0], part].series for part in PARTS if (SCORERS[0], part) in by}
    left = f"{report.without_label} of {report.series} series have no label and are left out. "
    head = left + "Series: " + ", ".join(f"{part} {count}" for part, count in counts.items()) + "."
    if "development" not in counts:
        head += " None is for development: thresholds were chosen on the series that they are judged on."
    return "\n".join(
        [
            head,
            "",
            "| VUS-PR (buffer 0–100) | " + " | ".join(counts) + " | test, buffer 0–50 | test, no buffer "
            "| test: recall | test: false alarms a day |",
            "|---|" + "---|" * (len(counts) + 4),
            *(_row(scorer, by, list(counts)) for scorer in SCORERS),
            "",
            *(_alarm(alarms) for alarms in report.alarms),
            "",
            "| all series, by group | " + " | ".join(groups) + " |",
            "|---|" + "---|" * len(groups),
            *(f"| {s} | " + " | ".join(_number(by[s, "all"].groups.get(g)) for g in groups) + " |" for s in SCORERS),
        ]
    )


def _row(scorer: str, by: dict[tuple[str, str], Mean], parts: list[str]) -> str:
    judged = by[scorer, "test" if "test" in parts else "all"]
    cells = [_number(by[scorer, part].vus_pr_100) for part in parts]
    cells += [_number(judged.vus_pr_50), _number(judged.vus_pr_0), _number(judged.recall, 2)]
    return f"| {scorer} | " + " | ".join([*cells, _number(judged.false_alarms_per_day, 2)]) + " |"


def _alarm(alarms: Alarms) -> str:
    return (
        f"Alarms at a stated {alarms.stated_per_day:g} per series and day, {alarms.part}: recall {alarms.recall:.2f}, "
        f"{alarms.false_alarms_per_day:.2f} false alarms per series and day."
    )


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
