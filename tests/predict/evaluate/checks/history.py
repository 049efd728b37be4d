"""Small histories in the recorder's manner: a line when the state changes, and one a day."""

from datetime import UTC, datetime

import numpy as np

from foregate.predict.evaluate.checks.load import History, Loaded, parse

HEADER = "source,endpoint,time,state,status,latency_ms"
T0 = 1_750_003_200.0  # a midnight
HOUR = 3600.0


def line(source: str, endpoint: str, time_s: float, state: str = "up", latency_ms: float = 120) -> str:
    time = datetime.fromtimestamp(time_s, UTC).isoformat(sep=" ")
    return f"{source},{endpoint},{time},{state},{0 if state == 'down' else 200},{latency_ms:g}"


def loaded(*lines: str) -> Loaded:
    return parse([HEADER, *lines])


def history(*records: tuple[float, str], endpoint: str = "api") -> History:
    """An endpoint's records, times in hours since T0."""
    return loaded(*(line("status", endpoint, T0 + HOUR * hour, state) for hour, state in records)).histories[0]


def days(count: int, *records: tuple[float, str]) -> list[tuple[float, str]]:
    """A record a day with the state of that hour, and these changes."""
    changes = sorted(records)
    states = {24.0 * day: ([s for h, s in changes if h <= 24 * day] or ["up"])[-1] for day in range(count + 1)}
    return sorted((states | dict(changes)).items())


def excited(seed: int, sources: int = 3, endpoints: int = 3, count: int = 20) -> list[str]:
    """Lines of endpoints that seldom fail; each failure makes the next more likely, for hours."""
    chance = np.random.default_rng(seed)
    lines = []
    for s in range(sources):
        for e in range(endpoints):
            changes, excitement, up_at = [], 0.0, 0.0
            for hour in range(1, 24 * count):
                excitement *= 0.95
                if hour >= up_at and chance.random() < 0.008 + 0.035 * excitement:
                    up_at = hour + float(chance.choice([0.6, 1.6]))
                    changes += [(hour + 0.3, "down"), (up_at, "up")]
                    excitement += 1.0
            for hour, state in days(count, *changes):
                lines.append(line(f"s{s}", f"e{e}", T0 + HOUR * hour, state, float(chance.integers(80, 160))))
    return lines
