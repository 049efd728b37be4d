"""What a set of headless runs showed: how many failures were foreseen, how early, and what was alarmed for nothing."""

from statistics import median

import msgspec


class Demonstration(msgspec.Struct, frozen=True):
    """One headless run. Seconds since the run's start; None where it did not happen.

    `onset_s`: the first failing minute of the run, `entity` whose it was; `alert_s`: the alert on that entity that was
    raised before; `lead_s` between them. `false_alarms`: alerts of the run that no failure followed in their horizon.
    """

    seed: int
    fault: str
    service: str
    severity: float | None
    fault_s: float | None
    entity: str
    onset_s: float | None
    alert_s: float | None
    lead_s: float | None
    alerts: int
    false_alarms: int
    reasons: tuple[str, ...]


class Showing(msgspec.Struct, frozen=True):
    """All of them, counted. `foreseen`: alerted before the first failing minute; `in_time`: at least 2 min before."""

    model_version: str
    threshold: float | None  # None: the score that keeps to the default budget of false alarms
    failures: int
    foreseen: int
    in_time: int
    median_lead_s: float | None
    false_alarms_faulty: int
    false_alarms_calm: int
    calm_hours: float
    failures_calm: int
    faulty: tuple[Demonstration, ...]
    calm: tuple[Demonstration, ...]


def showing(
    model_version: str, threshold: float | None, faulty: list[Demonstration], calm: list[Demonstration], calm_s: float
) -> Showing:
    """Count them. `calm_s`: how long each calm run was."""
    leads = [run.lead_s for run in faulty if run.lead_s is not None]
    return Showing(
        model_version=model_version,
        threshold=threshold,
        failures=sum(run.onset_s is not None for run in faulty),
        foreseen=len(leads),
        in_time=sum(lead >= 120 for lead in leads),
        median_lead_s=median(leads) if leads else None,
        false_alarms_faulty=sum(run.false_alarms for run in faulty),
        false_alarms_calm=sum(run.false_alarms for run in calm),
        calm_hours=len(calm) * calm_s / 3600,
        failures_calm=sum(run.onset_s is not None for run in calm),
        faulty=tuple(faulty),
        calm=tuple(calm),
    )


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    sign, whole = ("-", -round(seconds)) if seconds < 0 else ("", round(seconds))
    return f"{sign}{whole // 60}:{whole % 60:02d}"


def table(of: Showing) -> str:
    """For people: one line per run, then the sums."""
    lines = ["seed  fault              service    fault at  alert at  fails at    lead  false  why"]
    lines += [
        f"{run.seed:>4}  {run.fault:<17}  {run.service:<9}  {_clock(run.fault_s):>8}  {_clock(run.alert_s):>8}  "
        f"{_clock(run.onset_s):>8}  {_clock(run.lead_s):>6}  {run.false_alarms:>5}  {'; '.join(run.reasons[:1])}"
        for run in of.faulty
    ]
    return "\n".join([*lines, "", _sums(of)])


def _sums(of: Showing) -> str:
    lead = "–" if of.median_lead_s is None else f"{of.median_lead_s / 60:.1f} min"
    return (
        f"{of.failures} of {len(of.faulty)} runs with a gradual fault failed; {of.foreseen} of these were alerted "
        f"before the first failing minute,\n{of.in_time} at least 2 minutes before; median lead {lead}.\n"
        f"False alarms: {of.false_alarms_faulty} in these runs, {of.false_alarms_calm} in {len(of.calm)} runs "
        f"({of.calm_hours:.0f} h) without a fault, in which {of.failures_calm} failed.\n"
        f"Model {of.model_version}, threshold {'of the budget' if of.threshold is None else of.threshold}."
    )
