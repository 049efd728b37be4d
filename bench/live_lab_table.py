"""The live lab's results for people, and as facts for the JSON."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from bench.live_lab_judge import SWEEP, Result
from bench.live_lab_plan import Choice
from bench.live_lab_run import Batch
from bench.report import median
from foregate.predict.failures import LEAD_S_MIN

_HEAD = f"{'kind':<18}{'runs':>5}{'failed':>8}{'foreseen':>10}{'≥2 min':>8}{'lead':>7}{'false':>7}{'undecided':>11}"


def table(kinds: Sequence[str], results: Sequence[Result]) -> str:
    """One line per run, one per kind, and what other thresholds would have done."""
    lines = [_line(result) for result in sorted(results, key=lambda r: (r.kind or "~", r.seed))]
    lines += ["", _HEAD]
    lines += [_sums(kind, [r for r in results if r.kind == kind]) for kind in kinds]
    faulty, calm = [r for r in results if r.kind], [r for r in results if not r.kind]
    lines += [_sums("all with a fault", faulty), _sums("without a fault", calm), "", *_sentences(faulty, calm), ""]
    lines += ["by score      foreseen  ≥2 min   lead  false with a fault  false without"]
    lines += [_at(n, faulty, calm) for n in range(1, len(SWEEP), 2)]
    return "\n".join(lines)


def _sentences(faulty: Sequence[Result], calm: Sequence[Result]) -> list[str]:
    s, c = sums(faulty), sums(calm)
    said = [f"{name} {_share(s[key], s['failed'])}" for name, key in (("foreseen", "foreseen"), ("≥2 min", "in_time"))]
    false, hours = c["false_alarms"], c["route_hours"]
    per_day = f"{false} false alarms in {hours:.0f} API hours, {24 * false / hours if hours else 0:.2f} per API and day"
    return [
        f"of {s['failed']} failures: {'; '.join(said)}",
        f"without a fault: {per_day}; {c['failed']} of {c['runs']} runs failed",
    ]


def _share(count: int, of: int) -> str:
    low, high = wilson(count, of)
    return f"{count} ({count / of:.0%}, 95 % interval {low:.0%} to {high:.0%})" if of else "0"


def wilson(count: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (1927); the whole range when nothing was counted."""
    if not of:
        return 0.0, 1.0
    z = 1.96
    middle = (count + z * z / 2) / (of + z * z)
    half = z * math.sqrt(count * (of - count) / of + z * z / 4) / (of + z * z)
    return middle - half, middle + half


def _line(result: Result) -> str:
    why = next((a.reasons[0] for a in result.alarms if a.verdict == "foreseen" and a.reasons), "")
    false = [a for a in result.alarms if a.verdict in ("false", "undecided")]
    if false:
        why = f"{false[0].verdict} {_clock(false[0].raised_s)} {false[0].route}: " + "; ".join(false[0].reasons[:2])
    severity = "" if result.severity is None else f"{result.severity:.2f}"
    whose = f"{result.seed} {result.kind or '(none)':<17}{result.service:<9}{severity:>5}"
    when = f"fault {_clock(result.fault_s):>5}  alert {_clock(result.alert_s):>5}  fails {_clock(result.onset_s):>5}"
    nothing = f"false {result.count('false')}+{result.count('undecided')}"
    return f"{whose}  {when} {result.route:<15} lead {_clock(result.lead_s):>5}  {nothing}  {why}"


def _clock(seconds: float | None) -> str:
    return "–" if seconds is None else f"{round(seconds) // 60}:{round(seconds) % 60:02d}"


def _minutes(leads: Sequence[float]) -> str:
    return f"{median(leads) / 60:.1f}" if leads else "–"


def _sums(name: str, results: Sequence[Result]) -> str:
    s = sums(results)
    leads = [r.lead_s for r in results if r.lead_s is not None]
    return (
        f"{name:<18}{s['runs']:>5}{s['failed']:>8}{s['foreseen']:>10}{s['in_time']:>8}{_minutes(leads):>7}"
        f"{s['false_alarms']:>7}{s['undecided_alarms']:>11}"
    )


def sums(results: Sequence[Result]) -> dict[str, Any]:
    """A group of runs, counted. `foreseen`: alerted before the first failing minute of the route that failed first;
    `in_time`: at least two minutes before; `any_route`: some route's failure was foreseen before anything failed.
    `route_hours`: how long how many routes were watched."""
    leads = [r.lead_s for r in results if r.lead_s is not None]
    return {
        "runs": len(results),
        "failed": sum(r.onset_s is not None for r in results),
        "foreseen": len(leads),
        "in_time": sum(r.in_time for r in results),
        "any_route": sum(
            any(a.verdict == "foreseen" and a.raised_s < (r.onset_s or 0.0) for a in r.alarms) for r in results
        ),
        "foreseen_95": wilson(len(leads), sum(r.onset_s is not None for r in results)),
        "in_time_95": wilson(sum(r.in_time for r in results), sum(r.onset_s is not None for r in results)),
        "median_lead_s": median(leads) if leads else None,
        "false_alarms": sum(r.count("false") for r in results),
        "undecided_alarms": sum(r.count("undecided") for r in results),
        "route_hours": sum(r.routes * r.length_s for r in results) / 3600,
        "requests": sum(r.requests for r in results),
    }


def _at(index: int, faulty: Sequence[Result], calm: Sequence[Result]) -> str:
    swept = [r.swept[index] for r in faulty]
    leads = [each.lead_s for each in swept if each.lead_s is not None]
    return (
        f"{SWEEP[index]:<14.2f}{len(leads):>8}{sum(lead >= LEAD_S_MIN for lead in leads):>8}{_minutes(leads):>7}"
        f"{sum(each.false_alarms for each in swept):>20}{sum(r.swept[index].false_alarms for r in calm):>15}"
    )


def facts(choice: Choice, results: Sequence[Result], done: Sequence[Batch]) -> dict[str, Any]:
    """What goes into the JSON: sums by kind, the machine's load by batch, and every run."""
    faulty, calm = [r for r in results if r.kind], [r for r in results if not r.kind]
    return {
        "choice": msgspec.to_builtins(choice),
        "model_version": done[0].model_version,
        "threshold": done[0].threshold,
        "took_min": sum(batch.took_s for batch in done) / 60,
        "by_kind": {kind: sums([r for r in faulty if r.kind == kind]) for kind in choice.kinds},
        "faulty": sums(faulty),
        "calm": sums(calm),
        "by_threshold": [{"threshold": threshold, "line": _at(n, faulty, calm)} for n, threshold in enumerate(SWEEP)],
        "load": [msgspec.to_builtins(batch.load) for batch in done],
        "runs": [msgspec.to_builtins(r) for r in results],
    }
