"""Signals over a data directory that a real reloader writes, at a time of the test's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from structlog.testing import CapturingLogger

from foregate.adapters.embedded.changes import EmbeddedChanges
from foregate.app.attempts import Attempt, write_attempt
from foregate.app.config import load
from foregate.app.config.verify import verified
from foregate.app.paths import DataDir
from foregate.app.reload import store
from foregate.app.signals import ChangeWatch, Resources, Signals, open_signals
from foregate.kernel.clock import ManualClock
from foregate.wire.entity import Entity
from foregate.wire.objective import ObjectiveState

T0 = 1_700_000_040.0  # a whole minute
PAY = Entity("default", "payments", "/pay", "production")
FIND = Entity("default", "search", "/find", "production")
THEIRS = Entity("others", "billing", "/bill", "production")  # reported by somebody else
ALL = (PAY, FIND, THEIRS)
PLAIN = """
services:
  payments: {targets: [http://127.0.0.1:1]}
  search: {targets: [http://127.0.0.1:2]}
routes:
  - {name: /pay, path: /pay, service: payments}
  - {name: /find, path: /find, service: search}
"""


class SignalsRig:
    def __init__(self, folder: Path, text: str = PLAIN) -> None:
        self.folder = folder
        self.clock = ManualClock(T0 + 65.0)
        self.data = DataDir(folder / "data")
        self.data.create()
        self.resources = Resources()
        self.states: Sequence[ObjectiveState] = ()
        self.log = CapturingLogger()
        self.put(text)
        self.signals, self.watch = self.open(), ChangeWatch(self.data, EmbeddedChanges(self.data.changes), self.clock)
        self.watch.step()

    def again(self) -> None:
        """A new analyzer on the same data."""
        self.signals.close()
        self.signals, self.watch = self.open(), ChangeWatch(self.data, EmbeddedChanges(self.data.changes), self.clock)

    def open(self) -> Signals:
        return open_signals(self.data, self.clock, lambda: self.states, self.resources, self.log)  # type: ignore[arg-type]

    def put(self, text: str) -> None:
        """Have a configuration, as the supervisor puts it in force."""
        file = self.folder / "foregate.yaml"
        file.write_text(text)
        snapshot = verified(load(file, {"DEMO_KEY": "fg_test_0123456789abcdef"}), self.data.pepper())
        store(self.data, snapshot)
        write_attempt(self.data, Attempt("applied", snapshot.version, self.clock.now(), "file", 1))

    def minute(self, at: int = 0) -> dict[Entity, dict[str, float]]:
        """What is said of the minute `at` minutes after T0, asked five seconds after its end."""
        self.clock.jump_to(T0 + at * 60.0 + 65.0)
        self.watch.step()
        found = self.signals.minute(T0 + at * 60.0, ALL)
        return {entity: dict(found.get(entity, {})) for entity in ALL}

    def said(self) -> list[tuple[str, Any]]:
        """(event, source) of the log's lines."""
        return [(call.args[0], call.kwargs.get("source")) for call in self.log.calls]
