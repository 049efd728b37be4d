"""Asks the stores about once a second, for all subscribers together, and publishes what has changed."""

import asyncio
from collections.abc import Callable

from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from foregate.control.api.alerts import alerts_out
from foregate.control.api.anomalies import anomalies_out
from foregate.control.api.events import events_out
from foregate.control.api.lab import lab_out
from foregate.control.api.metrics import SUMMARY_S, metrics_out
from foregate.control.api.risks import risks_out
from foregate.control.api.status import Status, status_out
from foregate.control.deps import ControlDeps, EventTail
from foregate.control.live.hub import Hub, Message
from foregate.kernel.errors import ForegateError

INTERVAL_S = 1.0
PANE_S = 10
EVENTS_SHOWN_MAX = 50  # of one interval; the rest is counted as skipped
EVENTS_READ_MAX = 2_000  # of one interval; the tail skips what is beyond
ALERTS_MAX = 50
ANOMALIES_MAX = 50
ANOMALIES_RANGE_S = 3_600.0


class Sources:
    """The messages of one moment. Blocking: runs in a thread."""

    def __init__(self, deps: ControlDeps) -> None:
        self._deps = deps
        self._tail: EventTail | None = None

    def restart(self) -> None:
        """Begin the tail of events anew, at the newest one."""
        self._tail = self._deps.telemetry.tail()

    def table(self) -> dict[str, Callable[[], BaseModel | None]]:
        """Message name → what makes it; None when there is nothing to say."""
        return {
            "status": lambda: status_out(self._deps),
            "metrics": self.metrics,
            "risks": self.risks,
            "alerts": self.alerts,
            "anomalies": self.anomalies,
            "faults": self.faults,
            "events": self.events,
        }

    def metrics(self) -> BaseModel:
        """The last minute in panes of 10 s: enough to draw what changed, and its summary."""
        now_s = self._deps.clock.now()
        from_s = now_s - SUMMARY_S
        answer = self._deps.telemetry.metrics(span_s=PANE_S, from_s=from_s, until_s=now_s + 1, service=None, route=None)
        return metrics_out(answer, now_s, from_s, PANE_S)

    def risks(self) -> BaseModel:
        return risks_out(self._deps.findings.latest_risks(), self._deps.clock.now(), self._deps.threshold)

    def alerts(self) -> BaseModel:
        found = self._deps.findings.alerts(state=None, limit=ALERTS_MAX + 1, before=None)
        return alerts_out(found, ALERTS_MAX, self._deps.clock.now())

    def anomalies(self) -> BaseModel:
        now_s = self._deps.clock.now()
        found = self._deps.findings.anomalies(from_s=now_s - ANOMALIES_RANGE_S, limit=ANOMALIES_MAX)
        return anomalies_out(found, now_s)

    def faults(self) -> BaseModel | None:
        return lab_out(self._deps.lab) if self._deps.lab else None

    def events(self) -> BaseModel | None:
        if self._tail is None:
            self.restart()
        assert self._tail is not None  # noqa: S101 - for the type checker
        new = self._tail.read(EVENTS_READ_MAX)
        if not new:
            return None
        shown = new[-EVENTS_SHOWN_MAX:]
        return events_out(shown[::-1], self._deps.clock.now(), skipped=len(new) - len(shown))


async def produce(hub: Hub, deps: ControlDeps) -> None:
    """Run until cancelled. Asks nothing while nobody listens; one failing source does not stop the others."""
    sources = Sources(deps)
    said: dict[str, str] = {}
    failing: set[str] = set()
    while True:
        if not hub.wanted.is_set():
            hub.forget()
            said.clear()
            await hub.wanted.wait()
            await run_in_threadpool(_guarded, "tail", sources.restart, deps, failing)
        for name, make in sources.table().items():
            model = await run_in_threadpool(_guarded, name, make, deps, failing)
            if model is not None and said.get(name) != (content := substance(model)):
                said[name] = content
                hub.publish(Message(name, model.model_dump_json().encode()), keep=name != "events")
        await asyncio.sleep(INTERVAL_S)


def substance(model: BaseModel) -> str:
    """What must differ for a message to be worth sending: all but the time it was made at.

    `status` is sent each time: its clock tells the page how old everything else is.
    """
    return model.model_dump_json(exclude=None if isinstance(model, Status) else {"now_s"})


def _guarded(name: str, make: Callable[[], BaseModel | None], deps: ControlDeps, failing: set[str]) -> BaseModel | None:
    """What `make` gives; None when it fails, which is logged when it begins and when it ends."""
    try:
        model = make()
    except (OSError, ForegateError) as error:
        if name not in failing:
            deps.log.warning("live_source_failed", source=name, error=str(error))
        failing.add(name)
        return None
    except Exception as error:  # not even our own mistake in one source may end everybody's stream
        if name not in failing:
            deps.log.exception("live_source_failed", source=name, error=str(error))
        failing.add(name)
        return None
    if name in failing:
        failing.discard(name)
        deps.log.info("live_source_is_back", source=name)
    return model
