"""One round of wrk against one peer, at one of two loads.

"saturated": as much as 32 keep-alive connections take; every peer at its own limit, many events per wake-up.
"paced": each connection rests between two requests, so that all peers carry the same load, far from their limits. That
is what production looks like, and each request then pays for its own wake-ups.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.foregate_worker import KEY
from bench.process import Running, tool
from bench.proxy.peers import LITELLM_KEY

CONNECTIONS = 32
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
LOADS = {"saturated": 0, "paced": 16}  # milliseconds of rest
_REST = """\
function delay() return {rest_ms} end
"""
_CHAT = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"model":"m","messages":[{"role":"user","content":"hi"}]}'
"""


@dataclass
class Round:
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_s: float
    bad: int


def drive(peer: Running, port: int, seconds: float, folder: Path, rest_ms: int = 0) -> Round:
    """Send for so long; the peer's CPU time is read around it."""
    argv = [tool("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", "-H", f"X-Api-Key: {KEY}"]
    chat = peer.name == "litellm"
    if chat:
        argv += ["-H", f"Authorization: Bearer {LITELLM_KEY}"]
    path = "/v1/chat/completions" if chat else "/x"
    lua = (_CHAT if chat else "") + (_REST.format(rest_ms=rest_ms) if rest_ms else "")
    if lua:
        script = folder / "load.lua"
        script.write_text(lua)
        argv += ["-s", str(script)]
    before_s = peer.cpu_s()
    done = subprocess.run([*argv, f"http://127.0.0.1:{port}{path}"], check=True, capture_output=True, text=True)
    return _read(done.stdout, peer.cpu_s() - before_s)


def _read(text: str, cpu_s: float) -> Round:
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
