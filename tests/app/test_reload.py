"""What a reload takes over, what it refuses, and what it says about either."""

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import CapturingLogger

from foregate.app.attempts import Attempt, read_attempt, write_attempt
from foregate.app.config import load
from foregate.app.config.restart import fixed_changes, later_changes
from foregate.app.config.verify import verified
from foregate.app.paths import DataDir
from foregate.app.reload import Reloader, Source, store
from foregate.kernel.clock import SystemClock
from foregate.wire.snapshot import decode_snapshot

ONE = "services: {a: {targets: [http://127.0.0.1:1]}}\nroutes: [{path: /a, service: a}]\n"
TWO = ONE + "keys: []\nplans: {gold: {}}\n"
WAIT_S = 10.0


class Running:
    """A reloader on a file, without workers."""

    def __init__(self, folder: Path, text: str = ONE) -> None:
        self.file = folder / "foregate.yaml"
        self.file.write_text(text)
        self.data = DataDir(folder / "data")
        self.data.create()
        self.nudges = 0
        loaded = load(self.file, {})
        snapshot = verified(loaded, self.data.pepper())
        store(self.data, snapshot)
        self.reloader = Reloader(
            Source(self.file, {}),
            loaded,
            snapshot.version,
            self.data,
            nudge=self._nudged,
            clock=SystemClock(),
            log=CapturingLogger(),  # type: ignore[arg-type]
        )

    def _nudged(self) -> None:
        self.nudges += 1

    def last(self) -> Attempt:
        found = read_attempt(self.data)
        assert found is not None
        return found

    def run(self, *steps: Callable[[], object]) -> list[Attempt]:
        """Do each step, and wait for the attempt that it leads to."""
        return asyncio.run(self._run(steps))

    async def _run(self, steps: tuple[Callable[[], object], ...]) -> list[Attempt]:
        watching = asyncio.get_running_loop().create_task(self.reloader.run())
        found = []
        try:
            for number, step in enumerate(steps, 1):
                await asyncio.sleep(0.05)
                step()
                async with asyncio.timeout(WAIT_S):
                    while self.last().number < number:
                        await asyncio.sleep(0.005)
                found.append(self.last())
        finally:
            watching.cancel()
        return found


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running(tmp_path)


def test_before_anything_happens_it_says_what_was_started(running: Running) -> None:
    assert (running.last().outcome, running.last().by) == ("started", "start")


def test_a_changed_file_is_applied_and_the_workers_are_told(running: Running) -> None:
    before = running.last().version
    (attempt,) = running.run(lambda: running.file.write_text(TWO))
    assert (attempt.outcome, attempt.by, attempt.problems) == ("applied", "file", ())
    assert attempt.version == decode_snapshot(running.data.snapshot.read_bytes()).version != before
    assert running.nudges == 1


def test_a_replaced_file_is_applied_too(running: Running, tmp_path: Path) -> None:
    other = tmp_path / "new.yaml"
    other.write_text(TWO)
    (attempt,) = running.run(lambda: other.replace(running.file))
    assert attempt.outcome == "applied"


@pytest.mark.parametrize("open_throughout", [True, False])
def test_the_first_half_of_a_file_is_never_put_in_force(running: Running, open_throughout: bool) -> None:
    first, second = TWO.split("routes:")
    half = running.file.with_name("half.yaml")
    half.write_text(first)
    assert load(half, {}).config.routes == []  # which is a valid configuration: all would be 404

    def write_slowly() -> None:
        """As a writer does that has to wait in between, on its way or between two commands."""

        def work() -> None:
            with running.file.open("w") as file:
                file.write(first)
                file.flush()
                if open_throughout:
                    time.sleep(0.9)
                    file.write(f"routes:{second}")
            if not open_throughout:
                time.sleep(0.9)
                with running.file.open("a") as file:
                    file.write(f"routes:{second}")

        threading.Thread(target=work).start()

    (attempt,) = running.run(write_slowly)
    assert attempt.outcome == "applied"
    assert len(decode_snapshot(running.data.snapshot.read_bytes()).routes) == 1
    assert running.nudges == 1


def test_a_bad_file_changes_nothing_and_every_problem_is_kept(running: Running) -> None:
    before = running.data.snapshot.read_bytes()
    bad = ONE.replace("service: a}", "service: b}").replace("/a,", "a,")
    refused, mended = running.run(lambda: running.file.write_text(bad), lambda: running.file.write_text(TWO))
    assert refused.outcome == "refused"
    assert len(refused.problems) == 2
    assert any('foregate.yaml:2: routes[0].service: there is no service "b"' in each for each in refused.problems)
    assert running.nudges == 1
    assert mended.outcome == "applied"
    assert mended.version != refused.version == decode_snapshot(before).version


def test_a_signal_has_it_read_again_even_when_nothing_changed(running: Running) -> None:
    (attempt,) = running.run(running.reloader.asked)
    assert (attempt.outcome, attempt.by, attempt.signals) == ("unchanged", "signal", 1)
    assert running.nudges == 1  # certificates may be new


def test_a_file_that_is_gone_is_no_change_but_a_signal_says_so(running: Running) -> None:
    (attempt,) = running.run(lambda: (running.file.unlink(), running.reloader.asked()))
    assert attempt.outcome == "refused"
    assert "cannot be read" in attempt.problems[0]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("listen: {gateway: 127.0.0.1:9999}", "listen.gateway"),
        ("listen: {console: 127.0.0.1:9999}", "listen.console"),
        ("org: other", "org"),
        ("clients: {idle_timeout_s: 5}", "clients.idle_timeout_s"),
        ("limits: {on_failure: closed}", "limits.on_failure"),
    ],
)
def test_what_only_a_restart_can_change_is_refused_by_its_name(running: Running, line: str, key: str) -> None:
    (attempt,) = running.run(lambda: running.file.write_text(TWO + line + "\n"))
    assert attempt.outcome == "refused"
    (problem,) = attempt.problems
    assert problem.endswith(f"{key}: cannot change while foregate runs: put it back, or restart foregate")
    assert running.nudges == 0


def test_what_the_analyzer_reads_at_its_start_waits_for_a_restart(running: Running) -> None:
    text = TWO + "alerts: {threshold: 0.5}\n"
    attempt, later = running.run(lambda: running.file.write_text(text), running.reloader.asked)
    assert (attempt.outcome, attempt.later) == ("applied", ("alerts.threshold",))
    assert (later.outcome, later.later) == ("unchanged", ("alerts.threshold",))


def test_a_missing_extension_is_refused_with_its_place(running: Running) -> None:
    bad = ONE + "policies: {extensions: [{name: nobodys}]}\n"
    (attempt,) = running.run(lambda: running.file.write_text(bad))
    (problem,) = attempt.problems
    assert 'foregate.yaml:3: policies.extensions[0]: there is no policy "nobodys"' in problem


def test_a_policy_that_cannot_be_made_is_refused_before_any_worker_has_it(running: Running) -> None:
    bad = ONE + "policies: {body_schema: {json_schema: {type: nonsense}}}\n"
    (attempt,) = running.run(lambda: running.file.write_text(bad))
    (problem,) = attempt.problems
    assert "foregate.yaml:3: policies.body_schema: cannot be used: not a JSON Schema" in problem
    assert running.nudges == 0


def test_a_certificate_that_cannot_be_read_is_refused_and_its_mending_is_noticed(tmp_path: Path) -> None:
    running = Running(tmp_path)
    bad = ONE.replace("targets:", "tls: {ca_file: ca.pem}, targets:")
    ca = tmp_path / "ca.pem"
    refused, again = running.run(lambda: running.file.write_text(bad), lambda: ca.write_text("not PEM\n"))
    assert "services.a.tls: " in refused.problems[0]
    assert "ca.pem" in refused.problems[0]
    assert again.outcome == "refused"
    assert "no CA certificates" in again.problems[0]


def test_a_full_disk_is_said_at_once_and_the_file_is_put_in_force_when_there_is_room(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Path, _text: str, *, durable: bool = True) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))

    def fill() -> None:
        for module in ("reload", "attempts"):
            monkeypatch.setattr(f"foregate.app.{module}.write_private", full)
        running.file.write_text(TWO)
        running.reloader.asked()

    refused, applied = running.run(fill, monkeypatch.undo)
    assert (refused.outcome, refused.by, refused.signals) == ("refused", "signal", 1)
    (problem,) = refused.problems
    assert problem == f"{running.data.snapshot}: {os.strerror(errno.ENOSPC)}"
    assert (applied.outcome, applied.by) == ("applied", "file")
    assert applied.version == decode_snapshot(running.data.snapshot.read_bytes()).version != refused.version


def test_what_is_written_without_room_fits_the_block_that_is_there(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: Path, _text: str, *, durable: bool = True) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("foregate.app.attempts.write_private", full)
    write_attempt(running.data, Attempt("refused", "1", 0.0, "file", 1, ("\x01" * 1_000,) * 100, ("x" * 100,) * 100))
    assert running.data.reload.stat().st_size <= 4_096
    assert running.last().outcome == "refused"


def test_changes_are_told_apart_by_key(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(ONE)
    second.write_text(TWO + "drain_s: 3\nalerts: {webhook: http://h/x}\n")
    before, after = load(first, {}).config, load(second, {}).config
    assert fixed_changes(before, after) == [("drain_s",)]
    assert later_changes(before, after) == [("alerts", "webhook")]
    assert fixed_changes(before, before) == []
