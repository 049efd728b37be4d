"""Headless runs, looked at by the minute."""

from collections import defaultdict
from dataclasses import dataclass, field

from foregate.lab import Scenario, run_headless
from foregate.wire.event import RequestEvent


@dataclass
class Minute:
    """One route's minute. `bad` is the failure definition."""

    events: list[RequestEvent] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return sum(event.failed for event in self.events)

    @property
    def bad(self) -> bool:
        return self.failed >= 5 and self.failed >= 0.05 * len(self.events)

    @property
    def p95_ms(self) -> float:
        latencies = sorted(event.latency_ms for event in self.events)
        return latencies[int(0.95 * len(latencies))] if latencies else 0.0

    @property
    def inflight(self) -> float:
        return sum(event.inflight for event in self.events) / max(1, len(self.events))


Table = dict[str, dict[int, Minute]]  # route → minute of the run → what happened


def by_minute(scenario: Scenario) -> Table:
    table: Table = defaultdict(lambda: defaultdict(Minute))
    for chunk in run_headless(scenario):
        for event in chunk:
            table[event.route][int((event.time_s - scenario.epoch_s) // 60)].events.append(event)
    return table


def first_bad(minutes: dict[int, Minute]) -> int | None:
    return min((number for number, minute in minutes.items() if minute.bad), default=None)
