"""Supervision, with real processes."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import structlog

from foregate.app.supervise import EXIT_REFUSED, ChildSpec, Supervisor
from foregate.app.supervise.backoff import Backoff
from foregate.kernel.clock import SystemClock

ENV = {"PATH": os.defpath}


def spec(name: str, code: str, stop_order: int = 0) -> ChildSpec:
    return ChildSpec(name, (sys.executable, "-c", code), ENV, stop_order)


def supervisor(tmp_path: Path, *specs: ChildSpec) -> Supervisor:
    log = structlog.wrap_logger(structlog.ReturnLogger())
    return Supervisor(specs, clock=SystemClock(), log=log, status_file=tmp_path / "processes.json")


async def until(condition: object, timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.02)


def test_a_killed_child_comes_back(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"import os,time; open({str(pids)!r},'a').write(f'{{os.getpid()}}\\n'); time.sleep(60)"

    async def scenario() -> int:
        watched = supervisor(tmp_path, spec("sleeper", code))
        run = asyncio.get_running_loop().create_task(watched.run())
        await until(lambda: pids.exists() and pids.read_text().endswith("\n"))
        os.kill(int(pids.read_text()), signal.SIGKILL)
        await until(lambda: len(pids.read_text().splitlines()) == 2)
        status = json.loads((tmp_path / "processes.json").read_text())
        assert status[0]["restarts"] == 1
        assert status[0]["last_exit"] == -signal.SIGKILL
        watched.stop()
        return await run

    assert asyncio.run(scenario()) == 0


def test_children_stop_in_order(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    code = (
        "import signal,sys,time\n"
        f"def end(*_): open({str(trace)!r},'a').write(sys.argv[1]+'\\n'); sys.exit(0)\n"
        f"signal.signal(signal.SIGTERM, end); open({str(trace)!r}+sys.argv[1],'w').close(); time.sleep(60)"
    )
    specs = [
        ChildSpec(name, (sys.executable, "-c", code, name), ENV, order)
        for name, order in (("c", 2), ("a", 0), ("b", 1))
    ]

    async def scenario() -> int:
        watched = supervisor(tmp_path, *specs)
        run = asyncio.get_running_loop().create_task(watched.run())
        await until(lambda: all(Path(f"{trace}{name}").exists() for name in "abc"))
        watched.stop()
        return await run

    assert asyncio.run(scenario()) == 0
    assert trace.read_text().split() == ["a", "b", "c"]


def test_a_child_that_refuses_ends_everything_with_status_2(tmp_path: Path) -> None:
    specs = (spec("sleeper", "import time; time.sleep(60)"), spec("refuser", "import sys; sys.exit(2)"))
    assert asyncio.run(supervisor(tmp_path, *specs).run()) == EXIT_REFUSED


def test_the_wait_before_a_restart_doubles_up_to_its_bound_and_starts_anew_after_health() -> None:
    backoff = Backoff()
    waits = [backoff.after_death(0.1) for _ in range(9)]
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert waits[-1] == 10.0
    assert backoff.after_death(31.0) == 0.2


def test_a_child_that_cannot_be_started_is_tried_again_and_does_not_spoil_the_stop(tmp_path: Path) -> None:
    program = tmp_path / "program"
    late = ChildSpec("late", (str(program),), ENV)

    async def scenario() -> int:
        watched = supervisor(tmp_path, late)
        run = asyncio.get_running_loop().create_task(watched.run())
        await until(lambda: (tmp_path / "processes.json").exists())
        program.write_text("#!/bin/sh\nexec sleep 60\n")
        program.chmod(0o755)
        await until(lambda: json.loads((tmp_path / "processes.json").read_text())[0]["pid"] is not None)
        watched.stop()
        return await run

    assert asyncio.run(scenario()) == 0


def test_a_child_is_killed_only_when_its_own_time_to_end_is_over(tmp_path: Path) -> None:
    code = (
        "import signal,sys,time\n"
        "def end(*_): time.sleep(float(sys.argv[2])); sys.exit(7)\n"
        "signal.signal(signal.SIGTERM, end); open(sys.argv[1],'w').close(); time.sleep(60)"
    )
    marks = [tmp_path / "late", tmp_path / "dead"]

    def child(mark: Path, takes_s: str, timeout_s: float) -> ChildSpec:
        return ChildSpec(mark.name, (sys.executable, "-c", code, str(mark), takes_s), ENV, 0, (), timeout_s)

    async def scenario() -> None:
        watched = supervisor(tmp_path, child(marks[0], "1", 30.0), child(marks[1], "60", 0.5))
        run = asyncio.get_running_loop().create_task(watched.run())
        await until(lambda: all(mark.exists() for mark in marks))
        watched.stop()
        await run

    asyncio.run(scenario())
    exits = {row["name"]: row["last_exit"] for row in json.loads((tmp_path / "processes.json").read_text())}
    assert exits == {"late": 7, "dead": -signal.SIGKILL}
