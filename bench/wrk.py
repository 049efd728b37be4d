"""One round of wrk against one server, at one of three loads.

"saturated": as much as 32 keep-alive connections take; every peer at its own limit, many events per wake-up. All
requests of it are the same bytes, which foregate notices and makes use of.
"varied": the same, but every request has its own X-Request-Id and traceparent, so that nothing repeats.
"paced": each connection rests between two requests, so that all peers carry the same load, far from their limits. That
is what production looks like, and each request then pays for its own wake-ups.
"""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.process import Running, tool

CONNECTIONS = 32
_VARIED = """local sent = 0
function request()
  sent = sent + 1
  wrk.headers["X-Request-Id"] = "request-" .. sent
  wrk.headers["traceparent"] = string.format("00-%032x-%016x-01", sent, sent)
  return wrk.format()
end
"""
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
_REST = "function delay() return {rest_ms} end\n"


@dataclass(frozen=True)
class Round:
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_s: float
    bad: int  # answers beyond 399, and connections that broke
    own_cpu_s: float = 0.0  # of `cpu_s`, what is not its companions'

    @property
    def cpu_us(self) -> float:
        return 1e6 * self.cpu_s / max(1, self.requests)


@dataclass(frozen=True)
class Pace:
    """How it is asked for: milliseconds of rest after each answer, and further Lua for wrk."""

    rest_ms: int = 0
    script: str = ""


LOADS = {"saturated": Pace(), "varied": Pace(script=_VARIED), "paced": Pace(rest_ms=16)}
SAME = {name: LOADS[name] for name in ("saturated", "paced")}  # for who asks what the same requests cost elsewhere


@dataclass(frozen=True)
class Load:
    """What is asked for. `script` is Lua for wrk, beside what the rest needs."""

    path: str = "/x"
    headers: tuple[tuple[str, str], ...] = ()
    script: str = ""


def drive(peer: Running, port: int, seconds: float, folder: Path, load: Load, pace: Pace = Pace()) -> Round:
    """Send for so long; the CPU time of the peer's whole process tree is read around it."""
    argv = [tool("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency"]
    argv += _headers(load.headers)
    lua = load.script + pace.script + (_REST.format(rest_ms=pace.rest_ms) if pace.rest_ms else "")
    if lua:
        script = folder / "load.lua"
        script.write_text(lua)
        argv += ["-s", str(script)]
    before_s, own_before_s = peer.cpu_s(), peer.own_cpu_s()
    done = subprocess.run([*argv, f"http://127.0.0.1:{port}{load.path}"], check=True, capture_output=True, text=True)
    return replace(read(done.stdout, peer.cpu_s() - before_s), own_cpu_s=peer.own_cpu_s() - own_before_s)


def _headers(headers: Sequence[tuple[str, str]]) -> list[str]:
    return [word for name, value in headers for word in ("-H", f"{name}: {value}")]


def read(text: str, cpu_s: float) -> Round:
    """What wrk printed. Raises RuntimeError when that is no report."""

    def milliseconds(percentile: str) -> float:
        found = re.search(rf"\s{percentile}%\s+([\d.]+)(us|ms|s)\b", text)
        return float(found[1]) * _UNITS[found[2]] if found else 0.0

    total = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", text)
    if total is None:
        raise RuntimeError(f"wrk said: {text}")
    bad = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", text)))
    errors = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    bad += sum(map(int, errors.groups())) if errors else 0
    seconds = float(total[2]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[total[3]]
    return Round(int(total[1]), seconds, milliseconds("50"), milliseconds("99"), cpu_s, bad)
