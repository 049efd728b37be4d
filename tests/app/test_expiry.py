"""What is too old or too much goes, of each organisation by its own days, and never by a clock that has jumped."""

from pathlib import Path
from typing import Any

from structlog.testing import CapturingLogger
from tests.adapters.logs.making import T0_NS, record

from foregate.adapters.embedded.logs import EmbeddedLogs
from foregate.app.expiry import DAY_S, EXPIRE_EVERY_S, TRIM_EVERY_S, Expiry
from foregate.kernel.clock import ManualClock
from foregate.ports.logs import LogAsk


def test_each_organisation_keeps_its_days_and_a_jump_of_the_clock_deletes_nothing(tmp_path: Path) -> None:
    clock, log = ManualClock(T0_NS / 1e9), CapturingLogger()
    logs = EmbeddedLogs(tmp_path / "logs.sqlite", clock)
    logger: Any = log
    expiry = Expiry(EmbeddedLogs(tmp_path / "logs.sqlite", clock), 14, 1 << 40, {"brief": 2, "long": 90}, clock, logger)
    logs.take([record("x", 0, org=org) for org in ("brief", "long", "default")], "logs", {}, {})

    def left() -> list[str]:
        return [o for o in ("brief", "long", "default") if logs.search(LogAsk(o, 0, 9e9), 1).found]

    def pass_days(days: float) -> None:
        for _ in range(int(days * DAY_S / EXPIRE_EVERY_S) + 2):
            clock.advance(EXPIRE_EVERY_S)
            expiry.step()

    pass_days(1)
    assert left() == ["brief", "long", "default"]
    pass_days(1.5)
    assert left() == ["long", "default"]
    clock.jump_to(clock.now() + 60 * DAY_S)
    pass_days(0.5)
    assert left() == ["long", "default"]
    assert log.calls[-1].args == ("clock_was_set_on",)
    pass_days(1)
    assert left() == []
    expiry.close()
    logs.close()


def test_at_its_bound_a_store_loses_its_oldest_and_says_so(tmp_path: Path) -> None:
    clock, log = ManualClock(T0_NS / 1e9), CapturingLogger()
    logger: Any = log
    logs = EmbeddedLogs(tmp_path / "logs.sqlite", clock)
    logs.take([record("x" * 50_000, number) for number in range(50)], "logs", {}, {})
    expiry = Expiry(logs, 14, 1_000_000, {}, clock, logger)
    clock.advance(TRIM_EVERY_S)
    assert expiry.step() == 0
    ((name, args, facts),) = log.calls
    assert (name, args, facts["deleted"]) == ("warning", ("store_at_its_bound",), 50)
    expiry.close()
