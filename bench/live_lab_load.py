"""Whether the machine kept up with the live lab: a loop that is late makes services slow that are not."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from bench.live_lab_worlds import Slice
from bench.process import cpu_s_of
from bench.report import median, percentile

OWN_MAX = 0.85  # mean share of all cores that the bench's own processes take
STOLEN_MAX = 0.02  # share of the machine's time that its host gave to others
# Of one slice of ten seconds; above it the slice is late. A request waits for some ten turns of the processes on its
# way: at 4 ms mean latencies are 2 to 11 ms above those of the headless lab, at 15 ms some are 40 ms above.
LATE_P95_MS_MAX = 10.0
LATE_SLICES_MAX = 0.02  # share of slices that may be
_IDLE, _WAIT, _STOLEN = 3, 4, 7  # places in a line of /proc/stat


class Load(msgspec.Struct, frozen=True):
    """Shares of all cores over the whole batch: `own` of the bench's processes, `busy` of everybody's, `stolen` by the
    host. `cores`: by process, in cores, mean; `rss_mb`: at the end; `late_*_ms`: how late the timers of the worlds'
    loops fired; `late_slices`: the share of ten seconds when that was too late; `shed`: visits not sent."""

    own: float
    busy: float
    stolen: float
    cores: dict[str, float]
    rss_mb: dict[str, float]
    late_p50_ms: float
    late_p95_ms: float
    late_max_ms: float
    late_slices: float
    shed: int

    def complaints(self) -> list[str]:
        """Why what was measured under it must not be believed."""
        found = []
        if self.own > OWN_MAX:
            found.append(f"the bench took {self.own:.0%} of the cores (at most {OWN_MAX:.0%}): run fewer worlds")
        if self.stolen > STOLEN_MAX:
            found.append(f"{self.stolen:.1%} of the machine's time was stolen (at most {STOLEN_MAX:.0%})")
        if not self.late_slices <= LATE_SLICES_MAX:
            found.append(
                f"in {self.late_slices:.1%} of all ten seconds the worlds' timers were late by more than "
                f"{LATE_P95_MS_MAX:g} ms (p95; at most {LATE_SLICES_MAX:.0%} may be)"
            )
        if self.shed:
            found.append(f"{self.shed} visits were not sent: too many were under way")
        return found


class Watch:
    """Call `look` about every ten seconds."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._began_s = time.monotonic()
        self._began = self._looked = _ticks()
        self._cpu_s = {name: cpu_s_of([pid]) for name, pid in self._pids.items()}
        self._lately = 0.0
        self.looks = 0

    def look(self) -> None:
        now = _ticks()
        self._lately, self._looked = _busy(self._looked, now), now
        self.looks += 1

    def line(self) -> str:
        return f"cores {self._lately:.0%} busy lately, {_busy(self._began, self._looked):.0%} in all"

    def load(self, slices: Sequence[Slice]) -> Load:
        """What came of it."""
        now, seconds = _ticks(), time.monotonic() - self._began_s
        spent = {name: cpu_s_of([pid]) - self._cpu_s[name] for name, pid in self._pids.items()}
        late = [each.late_p95_ms for each in slices]
        return Load(
            own=sum(spent.values()) / seconds / (os.cpu_count() or 1),
            busy=_busy(self._began, now),
            stolen=(now[_STOLEN] - self._began[_STOLEN]) / max(1, sum(now) - sum(self._began)),
            cores={name: each / seconds for name, each in spent.items()},
            rss_mb={name: _rss_mb(pid) for name, pid in self._pids.items()},
            late_p50_ms=median([each.late_p50_ms for each in slices]),
            late_p95_ms=percentile(late, 95),
            late_max_ms=max((each.late_max_ms for each in slices), default=float("nan")),
            late_slices=sum(each > LATE_P95_MS_MAX for each in late) / len(late) if late else float("nan"),
            shed=sum(each.shed for each in slices),
        )


def _ticks() -> list[int]:
    """The machine's time so far by kind, in clock ticks: user, nice, system, idle, iowait, irq, softirq, steal."""
    with Path("/proc/stat").open() as stat:
        return [int(word) for word in stat.readline().split()[1:9]]


def _busy(before: Sequence[int], after: Sequence[int]) -> float:
    passed = [now - then for then, now in zip(before, after, strict=True)]
    return 1.0 - (passed[_IDLE] + passed[_WAIT]) / max(1, sum(passed))


def _rss_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024
