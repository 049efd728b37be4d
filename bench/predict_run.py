"""One process of `bench.predict`: the analyst and made traffic, nothing else. Prints its figures as JSON."""

import argparse
import cProfile
import gc
import json
import pstats
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.predict_world import T0, World, large_model
from bench.report import say
from foregate.app.roles.analyzer import GC_THRESHOLDS
from foregate.predict import Analyst, Models, Thresholds, bundled_path, load_model
from foregate.predict import analyst as judged
from foregate.predict.models.model import Model, decode_model, encode_model
from foregate.predict.panel import Panel
from foregate.predict.unusual import Unusual

TICKS: Final = 6  # a minute
# Innermost first: what one part spends within another is told of the inner one alone.
PARTS: Final[tuple[tuple[str, Any, str], ...]] = (
    ("minutes into memory", Panel, "learn"),
    ("usual levels, quarters", Panel, "renew"),
    ("detectors", Unusual, "minute"),
    ("moments", judged, "live_frame"),
    ("features", judged, "matrix"),
    ("young anomalies", Unusual, "tick"),
    ("boosters", Model, "probabilities"),
    ("SHAP", Model, "score"),
    ("verdicts, sentences", judged, "scored"),
    ("verdicts without score", judged, "unscored"),
)


class Clock:
    """CPU seconds by part, those of inner parts taken off."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._inner = [0.0]

    def wrap(self, name: str, of: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **named: Any) -> Any:
            self._inner.append(0.0)
            begin = time.process_time()
            try:
                return of(*args, **named)
            finally:
                took = time.process_time() - begin
                self.spent[name] = self.spent.get(name, 0.0) + took - self._inner.pop()
                self._inner[-1] += took

        return timed


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def load_s(path: Path) -> float:
    """CPU seconds to read, check and load a model file; XGBoost is imported already. The median of five."""
    took = []
    for _ in range(5):
        begin = time.process_time()
        load_model(path)
        took.append(time.process_time() - begin)
    return sorted(took)[2]


def shares_s(model: Model) -> float:
    """CPU seconds to make the tables that scores are explained by."""
    fresh = decode_model(encode_model([bytes(b.save_raw("ubj")) for b in model._boosters], model.header))
    row = np.zeros((1, len(model.header.features)), dtype=np.float32)
    begin = time.process_time()
    fresh.score(row)
    return time.process_time() - begin


def run(options: argparse.Namespace) -> dict[str, Any]:
    path = bundled_path()
    model = large_model(options.trees) if options.trees else load_model(path)
    gc.collect()
    before_mb = resident_mb()
    world = World(options.entities)
    world_mb = resident_mb() - before_mb
    analyst = Analyst(Models(model), Thresholds())
    analyst.connect(world.calls)
    begin = time.process_time()
    for step, told in enumerate(world.live(analyst, options.days, options.history)):
        if step % 60 == 0:
            say(f"{options.entities} entities: {told}, {time.process_time() - begin:.0f} s")
    known_mb = resident_mb()
    analyst.judge(world.ticks(T0)[:1])  # what is learned before the first judgement is the stored past
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    figures = measured(analyst, world, options)
    return figures | {
        "entities": options.entities,
        "trees": [h.trees for h in model.header.horizons],
        "history_s": round(time.process_time() - begin, 1),
        "before_mb": before_mb,
        "world_mb": world_mb,
        "memory_mb": known_mb - before_mb - world_mb,
        "peak_mb": peak_mb(),
        "bundled_load_s": load_s(path),
        "shares_s": shares_s(model),
        "bundled_bytes": path.stat().st_size,
    }


def measured(analyst: Analyst, world: World, options: argparse.Namespace) -> dict[str, Any]:
    clock, profile = Clock(), cProfile.Profile()
    for name, owner, attribute in PARTS:
        setattr(owner, attribute, clock.wrap(name, getattr(owner, attribute)))
    learned, judged_s, scored, explained, alerts, anomalies = [], [], 0, 0, 0, 0
    for number in range(options.measured):
        start_s = T0 + 60 * number
        minute, beside = world.minute(start_s), world.beside()
        begin = time.process_time()
        if options.profile:
            profile.enable()
        analyst.learn(minute, beside)
        profile.disable()
        learned.append(time.process_time() - begin)
        spent_s = 0.0
        for tick in range(TICKS):
            ticks = world.ticks(start_s + 60 + 10 * tick)
            begin = time.process_time()
            if options.profile:
                profile.enable()
            verdicts = analyst.judge(ticks)
            profile.disable()
            spent_s += time.process_time() - begin
            scored += sum(risk.state == "scored" for risk in verdicts.risks)
            explained += sum(bool(risk.contributions) for risk in verdicts.risks)
            alerts += sum(alert.raised_s == alert.updated_s for alert in verdicts.alerts)
            anomalies += len(verdicts.anomalies)
        judged_s.append(spent_s)
    if options.profile:
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(40)
    totals = np.add(learned, judged_s)
    parts = {name: spent / options.measured for name, spent in clock.spent.items()}
    return {
        "minute_s": float(totals.mean()),
        "worst_minute_s": float(totals.max()),
        "learn_s": float(np.mean(learned)),
        "learn_worst_s": float(np.max(learned)),
        "judge_s": float(np.mean(judged_s)),
        "parts": parts | {"the rest": float(totals.mean()) - sum(parts.values())},
        "scored_a_minute": scored / options.measured,
        "explained_a_minute": explained / options.measured,
        "alerts": alerts,
        "anomalies": anomalies,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, required=True)
    parser.add_argument("--trees", type=int, required=True)
    parser.add_argument("--history", type=int, required=True)
    parser.add_argument("--days", type=float, required=True)
    parser.add_argument("--measured", type=int, required=True)
    parser.add_argument("--profile", action="store_true")
    sys.stdout.write(json.dumps(run(parser.parse_args())) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
