"""How much of its memory, pools and workers each service has left, minute by minute, from the metrics that it sends.

A process is an `instance` of a service. Of memory a minute has the last value of each process, and of those the least;
of pools it has the mean over the minute's samples of each pool, and of those the least. Exporters send every 10 to
60 s: a minute without a sample repeats the last one, for `REPEATED_MINUTES` at most; then nothing is known any more.
"""

from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from threading import Lock
from typing import Final

from foregate.app.signals.resource_names import MEANINGS, RESOURCES, UNLIMITED, Meaning, Resource, Role
from foregate.app.signals.resource_shares import Part, shares_left
from foregate.wire.point import Point

MINUTE_S: Final = 60
REPEATED_MINUTES: Final = 3
PROCESSES_MAX: Final = 200  # of a service; of further ones nothing is known, the scarcest is that of the first 200
SERIES_OF_PROCESS_MAX: Final = 128  # likewise: those that come first
SERIES_OF_ORG_MAX: Final = 50_000  # so that one organisation's many leave room for the others; …
SERIES_MAX: Final = 100_000  # … some 700 bytes each. What was not sent for some minutes makes room again
AHEAD_MINUTES_MAX: Final = 5  # a series further ahead of the minute that is read is of a clock that was set back
_NO_SERVICE: Final = "unknown_service"
_NAMED_BY: Final = "k8s.deployment.name"  # the service of what only its node reports (OpenTelemetry's fallback)

Whose = tuple[str, str, str]  # org, environment, service
Left = dict[str, float]  # signal → share, 0 to 1


class _Series:
    """The newest minute with samples, and the newest before it: while the one before is read, the next has begun."""

    __slots__ = ("before", "count", "last", "last_s", "minute", "total")

    def __init__(self) -> None:
        self.before: tuple[int, float, float] | None = None  # minute, its last value, its mean
        self.minute = -1
        self.last_s = self.last = self.total = 0.0
        self.count = 0

    def add(self, time_s: float, value: float) -> None:
        minute = int(time_s // MINUTE_S)
        if minute < self.minute:
            return  # of before: a sender that is late says the next minute what is left
        if minute > self.minute:
            if self.count:
                self.before = self.minute, self.last, self.total / self.count
            self.minute, self.last_s, self.total, self.count = minute, time_s, 0.0, 0
        self.total += value
        self.count += 1
        if time_s >= self.last_s:
            self.last_s, self.last = time_s, value

    def of(self, minute: int, *, mean: bool) -> float | None:
        """What it says of a minute: that of the newest one up to it, unless that is too long ago."""
        if self.minute <= minute:
            found, last, average = self.minute, self.last, self.total / self.count
        elif self.before is not None and self.before[0] <= minute:
            found, last, average = self.before
        else:
            return None
        if minute - found > REPEATED_MINUTES:
            return None
        return average if mean else last


Series = dict[int, dict[Role, dict[Part, _Series]]]  # of a process, by the resource's number


class Resources:
    """`learn` and `left` may be called by two threads."""

    def __init__(self, *, series_max: int = SERIES_MAX, series_of_org_max: int = SERIES_OF_ORG_MAX) -> None:
        self.left_out = 0  # samples of series for which there was no room, since the last `left`
        self._series_max = series_max
        self._series_of_org_max = series_of_org_max
        self._of: dict[Whose, dict[str, Series]] = {}
        self._held: dict[str, int] = {}  # org → series
        self._series = 0
        self._lock = Lock()

    def learn(self, points: Iterable[Point], until_s: float) -> None:
        """Take what says something. `until_s`: when the bus took them; none is believed to be of a later time."""
        with self._lock:
            for point in points:
                for meaning in MEANINGS.get(point.name, ()):
                    if _says(point, meaning):
                        self._take(point, meaning, min(point.time_s, until_s))

    def _take(self, point: Point, meaning: Meaning, time_s: float) -> None:
        whose, process = _whose(point, meaning.resource)
        part = _part(point.attributes, meaning)
        number, role = meaning.number, meaning.metric.role
        series = self._of.get(whose, {}).get(process, {}).get(number, {}).get(role, {}).get(part)
        if series is None:
            if not self._has_room(whose, process):
                self.left_out += 1
                return
            roles = self._of.setdefault(whose, {}).setdefault(process, {}).setdefault(number, {})
            series = roles.setdefault(role, {})[part] = _Series()
            self._count(whose[0], 1)
        series.add(time_s, point.value)

    def _count(self, org: str, series: int) -> None:
        self._held[org] = self._held.get(org, 0) + series
        self._series += series

    def _has_room(self, whose: Whose, process: str) -> bool:
        if self._held.get(whose[0], 0) >= self._series_of_org_max or self._series >= self._series_max:
            return False
        processes = self._of.get(whose, {})
        if process not in processes:
            return len(processes) < PROCESSES_MAX
        return _held(processes[process]) < SERIES_OF_PROCESS_MAX

    def left(self, start_s: float) -> Mapping[Whose, Left]:
        """Of the minute that began then, and is over; what nobody says is absent. Forgets who fell silent."""
        minute = int(start_s // MINUTE_S)
        with self._lock:
            self._forget(minute)
            self.left_out = 0
            found = {whose: _scarcest(processes.values(), minute) for whose, processes in self._of.items()}
        return {whose: left for whose, left in found.items() if left}

    def _forget(self, minute: int) -> None:
        oldest, newest = minute - REPEATED_MINUTES, minute + AHEAD_MINUTES_MAX
        self._held, self._series = {}, 0
        for whose, processes in list(self._of.items()):
            for process, series in list(processes.items()):
                _forget(series, oldest, newest)
                if series:
                    self._count(whose[0], _held(series))
                else:
                    del processes[process]
            if not processes:
                del self._of[whose]


def _held(series: Series) -> int:
    return sum([len(parts) for roles in series.values() for parts in roles.values()])


def _forget(series: Series, oldest: int, newest: int) -> None:
    """Parts whose newest minute is not one of these, and what has no parts any more."""
    for number, roles in list(series.items()):
        for role, parts in list(roles.items()):
            gone = [part for part, one in parts.items() if not oldest <= one.minute <= newest]
            for part in gone:
                del parts[part]
            if not parts:
                del roles[role]
        if not roles:
            del series[number]


def _says(point: Point, meaning: Meaning) -> bool:
    """Whether it is a level at all, and a number that can be one. Remote write does not know kinds: there a name that
    ends in `_count` counts."""
    metric, value = meaning.metric, point.value
    if not point.time_s >= 0.0:  # nor NaN
        return False
    if point.kind not in ("gauge", "sum") or point.delta or (point.monotonic and point.source == "otlp"):
        return False
    if metric.where is not None and not any(point.attributes.get(name) == metric.where[1] for name in metric.where[0]):
        return False
    if any(name in point.attributes for name in metric.without):
        return False
    if meaning.resource.named_by and not point.attributes.get(meaning.resource.named_by):
        return False  # of a whole pod or node: an empty name would be that of routes without a service
    if not isfinite(value) or value < 0.0 or (metric.positive and value == 0.0):
        return False
    if metric.role == "limit":
        return 0.0 < value < UNLIMITED[meaning.resource.signal]
    return metric.role != "share" or value <= 1.0


def _whose(point: Point, resource: Resource) -> tuple[Whose, str]:
    """The service, and which process of it."""
    service, said = point.service, point.attributes
    if resource.named_by:
        service = said.get(resource.named_by, "")
    elif service == _NO_SERVICE:
        service = said.get(_NAMED_BY, service)
    process = said.get(resource.process_by, point.instance) if resource.process_by else point.instance
    return (point.org, point.environment, service), process


def _part(attributes: Mapping[str, str], meaning: Meaning) -> Part:
    """Which part of the resource, by all that is said of it but what chose it."""
    where = meaning.metric.where
    return tuple(sorted(one for one in attributes.items() if where is None or one[0] not in where[0]))


def _scarcest(processes: Iterable[Series], minute: int) -> Left:
    found: Left = {}
    for process in processes:
        for signal, left in _of_process(process, minute):
            found[signal] = min(left, found.get(signal, 1.0))
    return found


def _of_process(series: Series, minute: int) -> Iterator[tuple[str, float]]:
    """The least of every resource; of memory the first that is known alone."""
    remembers = False
    for number in sorted(series):
        signal = RESOURCES[number].signal
        memory = signal == "memory_left"
        if memory and remembers:
            continue
        values = {role: _values(parts, minute, mean=not memory) for role, parts in series[number].items()}
        if left := shares_left(values, summed=memory):
            yield signal, min(left)
            remembers = remembers or memory


def _values(parts: Mapping[Part, _Series], minute: int, *, mean: bool) -> dict[Part, float]:
    found = {}
    for part, series in parts.items():
        value = series.of(minute, mean=mean)
        if value is not None:
            found[part] = value
    return found
