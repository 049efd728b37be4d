"""One batch of the live lab bench: a foregate, worlds side by side behind its one gateway worker, and what it said."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import yaml

from bench.live_lab_judge import Minute, Place, Result, Said, Score, judge
from bench.live_lab_load import Load, Watch
from bench.live_lab_plan import Planned
from bench.live_lab_worlds import Begun, Slice
from bench.process import Running, start
from bench.report import say
from foregate.app.listeners import free_ports
from foregate.kernel.secrets import new_key
from foregate.lab import LabConfig
from foregate.lab.live.config import instance_names
from foregate.lab.live.demo import (
    INGEST,
    TELEMETRY_VARIABLE,
    VISITOR_VARIABLE,
    key_variable,
    service_name,
    worlds_config,
)
from foregate.lab.traffic.visits import CLIENTS, ROUTES

PROCESSES = 2  # of worlds: one per core
START_S_MAX = 120.0
LOOK_S = 10.0
SETTLE_S = 25.0  # after the last world's end: its last minute closes and is judged
_PAGE = 500


class Batch(msgspec.Struct, frozen=True):
    """What a batch ended with. `invalid`: why its figures must not be believed; empty when they may."""

    results: tuple[Result, ...]
    load: Load
    model_version: str
    threshold: float
    took_s: float
    invalid: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """How foregate is set. Whatever else is to be set comes as FOREGATE__A__B in the environment, as for people."""

    threshold: float | None = None
    model: Path | None = None

    def config(self) -> dict[str, Any]:
        """The part of foregate.yaml that says so. Nothing is learned on the way: the model that is asked for stays."""
        config: dict[str, Any] = {"predict": {"learn": "off"}}
        if self.threshold is not None:
            config["alerts"] = {"threshold": self.threshold}
        if self.model is not None:
            config["predict"]["model_path"] = str(self.model.resolve())
        return config


@dataclass
class Stage:
    """Everything that runs in a batch."""

    foregate: Running
    console: str
    data: Path
    worlds: list[subprocess.Popen[bytes]] = field(default_factory=list)
    notes: list[Path] = field(default_factory=list)

    def api(self, path: str, body: Any = None) -> Any:
        """A GET of the console's API; a POST when there is a body."""
        token = (self.data / "console.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.console}/api/v1{path}", data, headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def noted(self) -> list[Begun | Slice]:
        lines = [line for notes in self.notes if notes.exists() for line in notes.read_bytes().splitlines()]
        return [msgspec.json.decode(line, type=Begun | Slice) for line in lines]

    def pids(self) -> dict[str, int]:
        rows = json.loads((self.data / "processes.json").read_text())
        found = {row["name"]: int(row["pid"]) for row in rows if row["pid"] is not None}
        return found | {f"worlds-{n}": each.pid for n, each in enumerate(self.worlds)}

    def broken(self) -> str:
        """Who has ended before its time; "" when nobody has."""
        for process in [self.foregate.process, *self.worlds]:
            if process.poll() is not None:
                return f"process {process.args!r} ended with {process.returncode}"
        return ""


def run_batch(runs: Sequence[Planned], settings: Settings, folder: Path) -> Batch:
    """Play `runs` at the same time, in real time, and judge what was said. Raises RuntimeError when a part breaks."""
    began_s = time.time()
    with _stage(runs, settings, folder) as stage:
        load = _play(stage, max(run.scenario.duration_s for run in runs))
        answers = _Answers(stage, began_s)
        begun = {note.world: note.time_s for note in stage.noted() if isinstance(note, Begun)}
        results = [_result(run, begun[run.world], answers) for run in runs]
        risks = stage.api("/risks")
    return Batch(
        results=tuple(results),
        load=load,
        model_version=risks["model_version"],
        threshold=risks["threshold"],
        took_s=time.time() - began_s,
        invalid=tuple(load.complaints()),
    )


@contextmanager
def _stage(runs: Sequence[Planned], settings: Settings, folder: Path) -> Iterator[Stage]:
    names = instance_names()
    gateway, console, ingest, *ports = free_ports(3 + len(runs) * len(names))
    places = {
        run.world: dict(zip(names, ports[n * len(names) : (n + 1) * len(names)], strict=True))
        for n, run in enumerate(runs)
    }
    keys = {client.key_id: new_key("demo") for client in CLIENTS}
    variables = {key_variable(name): key for name, key in keys.items()}
    variables |= {VISITOR_VARIABLE: new_key("demo"), TELEMETRY_VARIABLE: new_key("demo")}
    listen = {"gateway": f"127.0.0.1:{gateway}", "console": f"127.0.0.1:{console}", INGEST: f"127.0.0.1:{ingest}"}
    file = folder / "foregate.yaml"
    file.write_text(yaml.safe_dump({**worlds_config(places, listen=listen), **settings.config()}))
    command = [sys.executable, "-m", "foregate.app.cli", "up", "-c", str(file), "--workers", "1"]
    command += ["--log-level", "warning", "--data-dir", str(folder / "data")]
    foregate = start("foregate", command, None, folder, env={**os.environ, **variables})
    stage = Stage(foregate, f"http://127.0.0.1:{console}", folder / "data")
    try:
        _wait_until_up(foregate)
        configs = {
            run.world: LabConfig(
                f"http://127.0.0.1:{gateway}/{run.world}",
                keys,
                run.scenario,
                places[run.world],
                telemetry_url=f"http://127.0.0.1:{ingest}",
                telemetry_key=variables[TELEMETRY_VARIABLE],
                world=run.world,
            )
            for run in runs
        }
        for number in range(PROCESSES):
            share = {run.world: configs[run.world] for run in runs[number::PROCESSES]}
            _start_worlds(stage, share, folder, number)
        yield stage
    finally:
        for process in stage.worlds:
            process.communicate()  # closes its standard input: it ends
        foregate.stop()


def _start_worlds(stage: Stage, share: Mapping[str, LabConfig], folder: Path, number: int) -> None:
    order, notes, log = (folder / f"worlds-{number}.{end}" for end in ("json", "notes", "log"))
    order.write_bytes(msgspec.json.encode(share))
    command = [sys.executable, "-m", "bench.live_lab_worlds", str(order), str(notes)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=out, start_new_session=True)
    stage.worlds.append(process)
    stage.notes.append(notes)


def _wait_until_up(foregate: Running) -> None:
    until_s = time.monotonic() + START_S_MAX
    while "foregate is up" not in foregate.log.read_text(errors="replace"):
        if foregate.process.poll() is not None or time.monotonic() > until_s:
            raise RuntimeError(f"foregate did not start: {foregate.log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.2)


def _play(stage: Stage, length_s: float) -> Load:
    """Let time pass, and watch whether the machine keeps up."""
    watch = Watch(stage.pids())
    until_s = time.monotonic() + length_s + SETTLE_S
    while (left_s := until_s - time.monotonic()) > 0:
        time.sleep(min(LOOK_S, left_s))
        if broken := stage.broken():
            raise RuntimeError(broken)
        watch.look()
        if watch.looks % 12 == 0:
            alerts = stage.api("/alerts?limit=100")["alerts"]
            say(f"  {left_s / 60:5.1f} min left  {watch.line()}  alerts {len(alerts)}")
    return watch.load([note for note in stage.noted() if isinstance(note, Slice)])


class _Answers:
    """What foregate says over its API about the time since `from_s`, by place."""

    def __init__(self, stage: Stage, from_s: float) -> None:
        self._stage = stage
        self._range_s = int(time.time() - from_s)
        self.minutes = _minutes(stage, from_s)
        self.said = _said(stage)

    def scores(self, service: str) -> dict[Place, list[Score]]:
        found = self._stage.api(f"/risks/history?service={service}&range_s={max(60, self._range_s)}")["series"]
        return {
            (each["entity"]["service"], each["entity"]["route"]): [
                (point["t"], point["score"]) for point in each["points"] if point["score"] is not None
            ]
            for each in found
        }


def _result(run: Planned, begun_s: float, answers: _Answers) -> Result:
    services = {service_name(route.service, run.world) for route in ROUTES}
    scores = {place: points for service in services for place, points in answers.scores(service).items()}
    return judge(
        run,
        begun_s,
        {place: each for place, each in answers.minutes.items() if place[0] in services},
        [one for one in answers.said if one.place[0] in services],
        scores,
    )


def _minutes(stage: Stage, from_s: float) -> dict[Place, list[Minute]]:
    ask = {"from": from_s // 60 * 60, "step": 60, "measures": ["requests", "errors"], "top": 1_000}
    answer = stage.api("/query", {**ask, "group_by": ["service", "route"]})
    if answer["left_out"]:
        raise RuntimeError(f"{answer['left_out']} routes were left out of the answer: run fewer worlds side by side")
    return {
        (each["group"]["service"], each["group"]["route"]): [
            (start_s, int(requests), int(errors or 0))
            for start_s, requests, errors in zip(
                answer["starts_s"], each["values"]["requests"], each["values"]["errors"], strict=True
            )
            if requests
        ]
        for each in answer["series"]
    }


def _said(stage: Stage) -> list[Said]:
    said: list[Said] = []
    path: str | None = f"/alerts?limit={_PAGE}"
    while path:
        page = stage.api(path)
        said += [
            Said(
                place=(alert["entity"]["service"], alert["entity"]["route"]),
                raised_s=alert["raised_s"],
                horizon_s=alert["horizon_s"],
                score=alert["score"],
                reasons=tuple(alert["reasons"]),
            )
            for alert in page["alerts"]
        ]
        path = f"/alerts?limit={_PAGE}&cursor={page['next_cursor']}" if page["next_cursor"] else None
    return said
