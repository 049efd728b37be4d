"""`http2`: what one request costs that came over HTTP/2, many at a time on each connection, beside nginx and Hypercorn.

foregate and nginx pass it on to the same upstream over HTTP/1.1, foregate with key, token bucket, breaker and event as
in `proxy`; "foregate h1" is the same worker asked over HTTP/1.1 by the same tool. Hypercorn answers by itself, with the
bare ASGI application: it has no upstream to ask. All without TLS (h2c with prior knowledge), one process each.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from bench.compare import Starter, Table, broken, facts, lines, ratio
from bench.gateway import KEY, start_plain
from bench.peers import BODY, start_nginx_http2, start_upstream
from bench.process import OUT, Missing, Running, free_port, start, tool
from bench.report import Goal, Outcome, finish, say
from bench.wrk import Round

CONNECTIONS = 8
STREAMS = 16  # at a time on each
GOAL_NGINX, GOAL_HYPERCORN = 3.0, 0.5  # foregate's CPU per request, at most so many times theirs
_ENVIRONMENT = OUT / "hypercorn"
_APPLICATION = """\
BODY = {body!r}
HEAD = {{
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))],
}}

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send(HEAD)
        await send({{"type": "http.response.body", "body": BODY}})
"""
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def _hypercorn_python(*, install: bool) -> str:
    """The interpreter of its own environment. Raises Missing where it is not there and cannot be made."""
    python = _ENVIRONMENT / "bin" / "python"
    if not python.exists() and install:
        subprocess.run([sys.executable, "-m", "venv", str(_ENVIRONMENT)], check=True)
        done = subprocess.run([str(python), "-m", "pip", "install", "-q", "hypercorn", "uvloop"], check=False)
        if done.returncode:
            python.unlink()
    return tool(str(python))


def start_hypercorn(folder: Path, port: int, upstream: int) -> Running:
    python = _hypercorn_python(install=False)
    (folder / "answering.py").write_text(_APPLICATION.format(body=BODY))
    argv = [
        python,
        "-m",
        "hypercorn",
        f"{folder}/answering:app",
        "--bind",
        f"127.0.0.1:{port}",
        "--worker-class",
        "uvloop",
    ]
    return start("hypercorn", [*argv, "--workers", "1", "--log-level", "error"], port, folder)


def drive(peer: Running, port: int, requests: int, *, http1: bool) -> Round:
    """Ask so often; the CPU time of the peer's whole process tree is read around it."""
    argv = [tool("h2load"), f"-n{requests}", f"-c{CONNECTIONS}", f"-m{STREAMS}", "-t1", "-H", f"x-api-key: {KEY}"]
    if http1:
        argv += ["--h1", f"-c{CONNECTIONS * STREAMS}", "-m1"]
    before_s, own_before_s = peer.cpu_s(), peer.own_cpu_s()
    done = subprocess.run([*argv, f"http://127.0.0.1:{port}/x"], check=True, capture_output=True, text=True)
    return replace(read(done.stdout, peer.cpu_s() - before_s), own_cpu_s=peer.own_cpu_s() - own_before_s)


def read(text: str, cpu_s: float) -> Round:
    """What h2load printed; it knows a mean and a maximum, but no percentiles. Raises RuntimeError for anything else."""
    total = re.search(r"requests: (\d+) total, \d+ started, \d+ done, (\d+) succeeded", text)
    seconds = re.search(r"finished in ([\d.]+)(us|ms|s),", text)
    times = re.search(r"time for request:\s+[\d.]+\w+\s+([\d.]+)(us|ms|s)\s+([\d.]+)(us|ms|s)", text)
    if total is None or seconds is None or times is None:
        raise RuntimeError(f"h2load said: {text}")
    good, bad = int(total[2]), int(total[1]) - int(total[2])
    most, mean = (float(times[at]) * _UNITS[times[at + 1]] for at in (1, 3))
    return Round(good, float(seconds[1]) * _UNITS[seconds[2]] / 1000.0, mean, most, cpu_s, bad)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench http2", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--requests", type=int, default=20_000, help="of one round of one peer")
    given = parser.parse_args(argv)
    outcome = Outcome()
    try:
        _hypercorn_python(install=True)
    except (Missing, subprocess.CalledProcessError) as reason:
        say(f"hypercorn cannot be had: {reason}")
    starters: dict[str, Starter] = {"foregate": start_plain, "nginx": start_nginx_http2, "hypercorn": start_hypercorn}
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as temporary:
        try:
            tool("h2load")
            table, rss_mb = _contest(Path(temporary), starters, given.rounds, given.requests, outcome.skipped)
        except Missing as missing:
            return finish("http2", Outcome(skipped={"http2": str(missing)}, invalid=["nothing was measured"]))
    others = [name for name in table if name != "foregate"]
    print(*lines("h2 (mean, max)", table, rss_mb, "foregate", others), sep="\n")
    outcome.facts = facts({"http2": table}, rss_mb)
    outcome.invalid = broken({"http2": table})
    for peer, most in (("nginx", GOAL_NGINX), ("hypercorn", GOAL_HYPERCORN)):
        if (found := ratio(table, "foregate", peer)) is not None:
            outcome.goals.append(Goal(f"foregate's CPU per request against {peer}", found.median, most=most, unit="×"))
    return finish("http2", outcome)


def _contest(
    folder: Path, starters: dict[str, Starter], rounds: int, requests: int, skipped: dict[str, str]
) -> tuple[Table, dict[str, float]]:
    """Everybody in turn, round after round. Raises Missing without an upstream."""
    running: dict[str, tuple[Running, int]] = {}
    upstream = start_upstream(folder, upstream_port := free_port())
    try:
        for name, starter in starters.items():
            port = free_port()
            try:
                running[name] = starter(folder, port, upstream_port), port
            except (Missing, RuntimeError) as reason:
                skipped[name] = str(reason)
                say(f"SKIPPED {name}: {reason}")
        running["foregate h1"] = running["foregate"]
        table: Table = {name: [] for name in running}
        for number in range(-1, rounds):  # the first one warms up
            for name, (peer, port) in running.items():
                found = drive(peer, port, requests if number >= 0 else requests // 4, http1=name == "foregate h1")
                if number >= 0:
                    table[name].append(found)
            say(f"round {number + 1} of {rounds} is done")
        return table, {name: peer.rss_mb() for name, (peer, _) in running.items()}
    finally:
        for name, (peer, _) in running.items():
            if name != "foregate h1":
                peer.stop()
        upstream.stop()
