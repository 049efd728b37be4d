"""The dashboard's eight questions over 30 days of windows: cold (a new process's caches) and warm, p50 and p95.

A store is made with `--series` routes, all of them active in every window that the questions can touch: 30 days, the
hours of the days at the edges of the ranges, and the quarters of the hour that is open. `python -m bench query`.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from foregate.adapters.embedded import series_totals
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.kernel.clock import ManualClock
from foregate.telemetry.facets import Facets
from foregate.telemetry.query.asking import Asker
from foregate.telemetry.retention import Retention
from foregate.telemetry.tally import Tally, Window
from foregate.telemetry.uniques import hash_of
from foregate.wire.ask import Ask, Measure
from foregate.wire.entity import Entity
from foregate.wire.window import StoredWindow

DAY_S, HOUR_S, QUARTER_S = 86_400, 3_600, 900
NOW_S = 1_790_000_000 // DAY_S * DAY_S + 14 * HOUR_S + 40 * 60  # in the middle of a day and of an hour
SAMPLES = 64  # different windows of each kind; the store's size and the work are those of real ones


COLD_MS_MAX, WARM_MS_MAX = 300.0, 100.0  # of p95, as promised; on an idle machine


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table. Returns 0, or 1 where a question is slower than promised."""
    parser = argparse.ArgumentParser(prog="python -m bench query", description=__doc__)
    parser.add_argument("--series", type=int, default=2_000)
    parser.add_argument("--cold", type=int, default=10, help="new processes' caches that each question is asked of")
    parser.add_argument("--warm", type=int, default=20)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.sqlite"
        rows = fill(path, given.series)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
        print(f"{rows:,} windows of {given.series:,} series, {size / 1e6:,.0f} MB")
        return report(path, given.cold, given.warm)


def fill(path: Path, series: int) -> int:
    """Returns how many windows were stored."""
    chance = random.Random(1)
    entities = [Entity("default", f"service-{n % 40}", f"/v1/things/{n}", "production") for n in range(series)]
    small = [_window(chance, chance.randrange(1, 40)) for _ in range(SAMPLES)]
    large = [_window(chance, 20_000) for _ in range(4)]
    store = EmbeddedSeries(path)
    rows = 0
    for span_s, start_s in _starts():
        found = [_at(small[(n * 31 + start_s) % SAMPLES], entity, span_s, start_s) for n, entity in enumerate(entities)]
        store.append(found, {}, {})
        if span_s >= HOUR_S:
            numbers = dict(store._db.execute("SELECT route, id FROM entities").fetchall())
            series_totals.put_sums(store._db, [(numbers[one.entity.route], one.stats) for one in found])
        rows += len(found)
    for span_s, from_s in ((QUARTER_S, NOW_S - 2 * DAY_S), (HOUR_S, NOW_S - 31 * DAY_S), (DAY_S, NOW_S - 31 * DAY_S)):
        for start_s in range(from_s // span_s * span_s, NOW_S // span_s * span_s, span_s):
            total = _at(large[start_s // span_s % len(large)], Entity("default", "", "", "production"), span_s, start_s)
            series_totals._put_totals(store._db, span_s, start_s, [total])
    store._db.execute("DELETE FROM stale WHERE start_s < ?", (NOW_S // DAY_S * DAY_S,))
    store._db.execute("DELETE FROM untotalled WHERE start_s < ?", (NOW_S // QUARTER_S * QUARTER_S,))
    store.close()
    return rows


def _starts() -> Iterator[tuple[int, int]]:
    midnight, hour = NOW_S // DAY_S * DAY_S, NOW_S // HOUR_S * HOUR_S
    yield from ((DAY_S, start_s) for start_s in range(midnight - 30 * DAY_S, midnight, DAY_S))
    for days in (30, 14, 8, 7, 1, 0):
        last = min(midnight - (days - 1) * DAY_S, hour)
        yield from ((HOUR_S, start_s) for start_s in range(midnight - days * DAY_S, last, HOUR_S))
    yield from ((QUARTER_S, start_s) for start_s in range(hour, NOW_S, QUARTER_S))
    for ago_s in (DAY_S, 2 * DAY_S, 7 * DAY_S, 14 * DAY_S):
        yield from ((QUARTER_S, start_s) for start_s in range(hour - ago_s, hour - ago_s + HOUR_S, QUARTER_S))


def _window(chance: random.Random, requests: int) -> StoredWindow:
    window, tally, facets = Window(0, QUARTER_S), Tally(), Facets()
    tally.numbers[:9] = [requests, requests // 50, 0, requests // 20, 0, 0, 0, 300 * requests, 4_000 * requests]
    facets.counts = [0, requests - requests // 20 - requests // 50, 0, requests // 20, requests // 50]
    failed = Tally()
    for number in range(requests):
        latency_ms = chance.lognormvariate(4.0, 0.8)
        tally.latency.add(latency_ms)
        tally.upstream.add(latency_ms * 0.9)
        if number % 50 == 0:
            failed.latency.add(latency_ms)
    facets.add_latency(5, failed.latency)
    facets.keys.update({f"key_{chance.randrange(200)}": 1 + chance.randrange(9) for _ in range(min(requests, 60))})
    facets.clients.update([hash_of(str(chance.randrange(100_000))) for _ in range(requests)])
    tally.facets = facets
    window.merge(tally)
    return StoredWindow(Entity("", "", "", ""), window.stats(), *window.encoded)


def _at(window: StoredWindow, entity: Entity, span_s: int, start_s: int) -> StoredWindow:
    stats = replace(window.stats, span_s=span_s, start_s=float(start_s))
    return StoredWindow(entity, stats, window.latency, window.upstream, window.facets)


def questions(now_s: float) -> dict[str, Callable[[Asker], object]]:
    """The dashboard's eight."""

    def ask(days: float, step_s: int, measures: tuple[Measure, ...], by: str = "", top: int = 20) -> Ask:
        group_by = (by,) if by else ()
        return Ask("default", now_s - days * DAY_S, now_s, measures, step_s, group_by, (), "requests", top)  # type: ignore[arg-type]

    week = ask(7, HOUR_S, ("requests",))
    return {
        "traffic and errors, 24 h": lambda asker: asker.ask(ask(1, QUARTER_S, ("requests", "errors", "error_rate"))),
        "p95 by route, 24 h": lambda asker: asker.ask(ask(1, 0, ("requests", "p95_ms"), "route")),
        "top routes, 7 days": lambda asker: asker.ask(ask(7, 0, ("requests", "errors"), "route")),
        "error rate, 30 days": lambda asker: asker.ask(ask(30, DAY_S, ("error_rate",))),
        "status classes, 24 h": lambda asker: asker.ask(ask(1, QUARTER_S, ("requests",), "status_class")),
        "top keys, 24 h": lambda asker: asker.ask(ask(1, 0, ("requests",), "key_id")),
        "unique clients, 24 h": lambda asker: asker.ask(ask(1, 0, ("clients",))),
        "traffic with last week's": lambda asker: asker.compared(week, 7 * DAY_S),
    }


def report(path: Path, cold: int, warm: int) -> int:
    """Wall and CPU time in ms. Between warm questions 3 s go by: what is over is remembered, what is open read again
    with every second one."""
    print(f"{'':28}{'cold p50':>10}{'p95':>8}{'cpu':>8}{'warm p50':>11}{'p95':>8}{'cpu':>8}   ms")
    missed = 0
    for name in questions(NOW_S):
        colds = [_timed(path, name, 1)[0] for _ in range(cold)]
        warms = _timed(path, name, warm + 1)[1:]
        print(f"{name:28}{_figures(colds)}   {_figures(warms)}", flush=True)
        slow = _share([wall for wall, _ in colds], 0.95) > COLD_MS_MAX
        missed |= slow or _share([wall for wall, _ in warms], 0.95) > WARM_MS_MAX
    return int(missed)


def _timed(path: Path, name: str, times: int) -> list[tuple[float, float]]:
    """Wall and CPU ms of each. A new handle and new caches; the page cache of the system stays as it is."""
    clock = ManualClock(float(NOW_S))
    store = EmbeddedSeries(path)
    asker = Asker(store, None, clock, Retention().kept_s)
    found = []
    for _ in range(times):
        ask = questions(clock.now())[name]
        wall, cpu = time.perf_counter(), time.process_time()
        ask(asker)
        found.append(((time.perf_counter() - wall) * 1_000.0, (time.process_time() - cpu) * 1_000.0))
        clock.advance(3.0)
    store.close()
    return found


def _figures(times: Sequence[tuple[float, float]]) -> str:
    walls, cpus = zip(*times, strict=True)
    return f"{_share(walls, 0.5):8.1f}{_share(walls, 0.95):8.1f}{_share(cpus, 0.5):8.1f}"


def _share(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
