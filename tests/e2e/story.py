"""A story for the browser: seeded traffic through the real consumer, and findings as the analyzer would write them.

`python -m tests.e2e.story [port] [empty]` serves it for a look at the page while developing; the token is TOKEN.
"""

import math
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
from tests.control.lab import real_lab
from tests.control.world import ROUTES, TOKEN, Console, World, console, entity, traffic, world

from foregate.control.lab_client import HttpLabClient
from foregate.kernel.clock import SystemClock
from foregate.wire.alert import Alert
from foregate.wire.anomaly import Anomaly
from foregate.wire.risk import Contribution, Risk
from foregate.wire.snapshot import Listener, Snapshot

PAST_S = 900
LEAK_S = 480  # the leak began so long before the start
PUMP_S = 0.5
MODEL = "xgb-0123abcd"


def slowness(age_s: float) -> float:
    """How many times slower payments is, `age_s` after the leak began."""
    return 1.0 + 3.0 * (max(0.0, age_s) / LEAK_S) ** 1.5


class Story:
    """Fills a world: the past at once, the present while `run` is on."""

    def __init__(self, here: World) -> None:
        self.here = here
        self.began_s = time.time() - LEAK_S
        self._stop = threading.Event()

    def tell_past(self) -> None:
        now_s = time.time()
        for back_s in range(PAST_S, 0, -10):
            t = now_s - back_s
            self.here.feed(traffic(self.here.rng, t, t + 10, slowness(t - self.began_s)))
            self.judge(t + 10)
        self.here.findings.put_alerts(
            [self.alert(1, now_s - 7_000, "failed"), self.alert(2, now_s - 11_000, "no_failure")]
        )
        self.here.findings.put_anomalies([self.anomaly(now_s)])

    def judge(self, time_s: float) -> None:
        """Verdicts as the analyzer would put them: payments rises, the others stay low, one has no traffic."""
        slow = slowness(time_s - self.began_s)
        score = 0.03 + 0.93 / (1 + math.exp(-(slow - 2.4) * 5))
        risks = [
            self.risk(name, time_s, 0.03 + 0.02 * math.sin(time_s / 90 + i)) for i, (name, *_) in enumerate(ROUTES)
        ]
        risks[1] = self.risk("payments", time_s, score, slow)
        risks.append(Risk(time_s, entity("orders"), "quiet", None, 900, MODEL, 0.0, 2.0))
        risks.append(Risk(time_s, entity("users"), "learning", None, 900, MODEL, 1.2, 2.0))
        self.here.findings.put_risks(risks)

    def risk(self, service: str, time_s: float, score: float, slow: float = 1.0) -> Risk:
        shares = (
            Contribution(
                "p95_ratio",
                slow,
                2.1,
                f"p95 latency is {116 * slow:.0f} ms, {slow:.1f}× its usual 116 ms, and has grown for 4 minutes",
            ),
            Contribution("inflight_ratio", 2.2, 0.9, "9 requests are in flight at once, usually 4"),
            Contribution("error_rate", 0.0, -0.4, "no request has failed in the last 5 minutes"),
        )
        calm = (Contribution("p95_ratio", 1.0, -1.2, "p95 latency is as usual"),)
        return Risk(time_s, entity(service), "scored", score, 900, MODEL, 15.0, 2.0, shares if slow > 1.3 else calm)

    def alert(self, number: int, raised_s: float, outcome: str) -> Alert:
        reasons = (
            "p95 latency is 326 ms, 2.8× its usual 116 ms, and has grown for 4 minutes",
            "9 requests are in flight at once, usually 4",
        )
        made = Alert(
            f"alr_{number}",
            raised_s,
            raised_s,
            entity("payments"),
            "open",
            "pending",
            0.84,
            0.93,
            0.8,
            900,
            MODEL,
            "payments /payments is likely to fail within 15 minutes",
            reasons,
        )
        if outcome == "failed":
            return replace_alert(
                made, state="closed", outcome=outcome, failed_s=raised_s + 372, lead_s=372.0, closed_s=raised_s + 900
            )
        if outcome == "no_failure":
            return replace_alert(made, state="closed", outcome=outcome, closed_s=raised_s + 900)
        return made

    def anomaly(self, now_s: float) -> Anomaly:
        sentence = "p95 latency of payments /payments is 402 ms; usual is 116 ms"
        return Anomaly("ano_1", now_s - 200, now_s, None, entity("payments"), "p95_ms", 402.0, 116.0, 9.3, sentence)

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        last_s = judged_s = time.time()
        while not self._stop.wait(PUMP_S):
            now_s = time.time()
            self.here.feed(traffic(self.here.rng, last_s, now_s, slowness(now_s - self.began_s)))
            if now_s - judged_s > 5:
                self.judge(now_s)
                judged_s = now_s
            last_s = now_s


def replace_alert(alert: Alert, **changes: object) -> Alert:

    return msgspec.structs.replace(alert, **changes)


@contextmanager
def story(folder: Path, *, empty: bool = False) -> Iterator[tuple[Console, Story]]:
    """A console with a past and a running present; `empty` has neither traffic nor findings."""
    with world(folder, SystemClock()) as here, real_lab() as lab:
        told = Story(here)
        deps = here.deps(lab=HttpLabClient(lab))
        if empty:
            with console(replace(deps, snapshot=lambda: Snapshot("none", (Listener(port=8080),)), lab=None)) as served:
                yield served, told
            return
        told.tell_past()
        with told.running(), console(deps) as served:
            yield served, told


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, story(Path(folder), empty="empty" in sys.argv) as (served, told):
        if "empty" not in sys.argv:
            told.here.findings.put_alerts([told.alert(3, time.time() - 140, "pending")])
        print(served.url, TOKEN, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
