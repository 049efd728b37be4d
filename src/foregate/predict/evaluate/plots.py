"""A report as pictures: reliability, precision and recall, recall against false alarms. The same report, same bytes.

matplotlib (extra `train`) is imported when a picture is drawn, and draws into files alone: no screen, no global state.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from foregate.predict.evaluate.paging import BUDGETS, RATE_MAX
from foregate.predict.evaluate.results import PartResult, Report, ScorerResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

_FORMATS: Final = ("svg", "png")
_OURS: Final = "#111111"
# Okabe and Ito's colours, which colour-blind people can tell apart; beyond them lines are dashed.
_COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")
_SETTINGS: Final[dict[str, Any]] = {
    "svg.hashsalt": "foregate",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same everywhere
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_SIDE_IN: Final = 3.6  # of one panel
_TITLE_IN: Final = 0.4
_NAME_IN: Final = 2.2  # of one name in the legend
_WIDTH_IN_MIN: Final = 7.0
_FLOOR: Final = 1e-3  # probabilities and rates below it are drawn at the edge
_MOMENTS_MIN: Final = 50  # of a bin; a share of fewer says little

Panel = Callable[["Axes", PartResult, list[tuple[ScorerResult, dict[str, Any]]]], None]


def draw(report: Report, folder: Path) -> list[Path]:
    """Write `reliability`, `precision-recall` and `alarms`, each as SVG and PNG; the paths. Raises ImportError."""
    import matplotlib

    written: list[Path] = []
    with matplotlib.rc_context({"backend": "agg"} | _SETTINGS):
        for name, title, panel in (
            ("reliability", "When it says p, how often does a failure follow?", _reliability),
            ("precision-recall", "Precision and recall of healthy moments", _precision_recall),
            ("alarms", "Failures foreseen, by false alarms per API and day", _alarms),
        ):
            figure = _figure(report, title, panel)
            for kind in _FORMATS:
                path = folder / f"{name}.{kind}"
                metadata = {"Date": None} if kind == "svg" else {"Software": None}
                figure.savefig(path, format=kind, dpi=120, metadata=metadata)
                written.append(path)
    return written


def _figure(report: Report, title: str, panel: Panel) -> "Figure":
    """Parts from top to bottom, horizons from left to right, one legend below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns, rows = len(report.horizons), max(len(horizon.parts) for horizon in report.horizons)
    width = max(_SIDE_IN * columns, _WIDTH_IN_MIN)
    wide = int(width / _NAME_IN)
    names = 1 + max(len(part.scorers) for horizon in report.horizons for part in horizon.parts)
    legend = 0.2 + 0.18 * -(-names // wide)
    height = _SIDE_IN * rows + _TITLE_IN + legend
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    room = {"left": 0.75 / width, "right": 1 - 0.15 / width, "top": 1 - (_TITLE_IN + 0.3) / height}
    panels = figure.subplots(
        rows,
        columns,
        squeeze=False,
        gridspec_kw=room | {"bottom": (legend + 0.5) / height, "wspace": 0.3, "hspace": 0.3},
    )
    named: dict[str, Any] = {}
    for x, horizon in enumerate(report.horizons):
        for y, part in enumerate(horizon.parts):
            axes = panels[y][x]
            panel(axes, part, list(_styled(part)))
            axes.set_title(f"{part.name}, {horizon.horizon_s // 60} min", fontsize=10)
            axes.grid(True, color="#dddddd", linewidth=0.5)
            handles, labels = axes.get_legend_handles_labels()
            named |= dict(zip(labels, handles, strict=True))
    figure.suptitle(title, fontsize=12, y=1 - 0.1 / height, verticalalignment="top")
    if named:
        figure.legend(list(named.values()), list(named), loc="lower center", ncols=wide, frameon=False)
    return figure


def _styled(part: PartResult) -> Iterator[tuple[ScorerResult, dict[str, Any]]]:
    number = 0
    for scorer in part.scorers:
        if not scorer.baseline:
            yield scorer, {"color": _OURS, "linewidth": 2.2, "zorder": 5, "label": scorer.name}
            continue
        dash = "-" if number < len(_COLOURS) else "--"
        colour = _COLOURS[number % len(_COLOURS)]
        yield scorer, {"color": colour, "linewidth": 1.1, "linestyle": dash, "label": scorer.name}
        number += 1


def _reliability(axes: "Axes", part: PartResult, scorers: list[tuple[ScorerResult, dict[str, Any]]]) -> None:
    axes.plot([_FLOOR, 1], [_FLOOR, 1], color="#888888", linewidth=0.8, linestyle=":", label="exactly right")
    for scorer, style in scorers:
        shown = [(said, found) for said, found, moments in scorer.reliability if moments >= _MOMENTS_MIN]
        if shown:
            said, found = ([max(value, _FLOOR) for value in column] for column in zip(*shown, strict=True))
            axes.plot(said, found, marker="o", markersize=3.5, **style)
    axes.set(xscale="log", yscale="log", xlim=(_FLOOR * 0.9, 1.1), ylim=(_FLOOR * 0.9, 1.1))
    axes.set(xlabel="said", ylabel="observed")
    _plain(axes.xaxis, axes.yaxis)


def _precision_recall(axes: "Axes", part: PartResult, scorers: list[tuple[ScorerResult, dict[str, Any]]]) -> None:
    axes.axhline(part.base_rate, color="#888888", linewidth=0.8, linestyle=":", label="base rate")
    for scorer, style in scorers:
        if scorer.curve:
            axes.plot([r for r, _ in scorer.curve], [p for _, p in scorer.curve], **style)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")


def _alarms(axes: "Axes", part: PartResult, scorers: list[tuple[ScorerResult, dict[str, Any]]]) -> None:
    for budget in BUDGETS:
        axes.axvline(budget, color="#888888", linewidth=0.8, linestyle=":")
    for scorer, style in scorers:
        points = [(max(rate, 1e-2), recall) for rate, recall in scorer.alarms]
        axes.plot([rate for rate, _ in points], [recall for _, recall in points], **style)
    axes.set(xscale="log", xlim=(1e-2, RATE_MAX), ylim=(0, 1.02))
    axes.set(xlabel="false alarms per API and day", ylabel="failures foreseen")
    _plain(axes.xaxis)


def _plain(*logarithmic: "Axis") -> None:
    """0.01, 0.1, 1 instead of powers of ten."""
    for axis in logarithmic:
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
