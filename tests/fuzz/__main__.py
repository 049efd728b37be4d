"""Mutated raw requests through the whole gateway (or the HTTP engine alone): rate and findings; exit 1 with any."""

import argparse
import functools
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.fuzz import http2, telemetry, websocket
from tests.fuzz.gateway_rig import GatewayRig
from tests.fuzz.judge import Finding, case
from tests.fuzz.rig import Rig

SEED = 20_261_121_000_000
_BATCH = 2_000
_SHOWN_MAX = 20


def batch(first: int, make: type[Rig]) -> tuple[int, int, int, list[str]]:
    """Sums over _BATCH cases: messages sent, messages that reached an upstream, refusals; and the findings."""
    sent = reached = refused = 0
    findings = []
    for seed in range(first, first + _BATCH):
        try:
            outcome = case(seed, make)
        except Finding as finding:
            findings.append(str(finding))
            continue
        sent, reached, refused = sent + outcome.sent, reached + outcome.reached, refused + outcome.refused
    return sent, reached, refused, findings


def websocket_batch(first: int) -> tuple[int, int, int, list[str]]:
    """Likewise of WebSocket frames: frames sent, messages passed on, conversations in which something was refused."""
    sent = passed = refused = 0
    findings = []
    for seed in range(first, first + _BATCH):
        try:
            frames, messages, was_refused = websocket.case(seed)
        except Finding as finding:
            findings.append(str(finding))
            continue
        sent, passed, refused = sent + frames, passed + messages, refused + was_refused
    return sent, passed, refused, findings


def telemetry_batch(first: int) -> tuple[int, int, int, list[str]]:
    """Likewise of bodies of telemetry: items sent, items that were taken, bodies that were refused."""
    sent = taken = refused = 0
    findings = []
    for seed in range(first, first + _BATCH):
        try:
            outcome = telemetry.case(seed)
        except Finding as finding:
            findings.append(str(finding))
            continue
        sent, taken, refused = sent + outcome.sent, taken + outcome.taken, refused + outcome.refused
    return sent, taken, refused, findings


def http2_batch(first: int) -> tuple[int, int, int, list[str]]:
    """Likewise of HTTP/2: frames sent, requests that reached an upstream, connections that were refused something."""
    sent = reached = refused = 0
    findings = []
    for seed in range(first, first + _BATCH):
        try:
            outcome = http2.case(seed)
        except Finding as finding:
            findings.append(str(finding))
            continue
        sent, reached, refused = sent + outcome.frames, reached + outcome.reached, refused + outcome.refused
    if (left := http2.alive()) > 1:  # that of the last case
        findings.append(f"{left} connections outlived the batch of seed {first}")
    return sent, reached, refused, findings


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--cases", type=int, help="a million; connections by WebSocket or HTTP/2, of many frames: 60,000, 100,000"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="of the first case; the next has the next number")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--engine", action="store_true", help="without routing and policies between the two ends")
    parser.add_argument("--websocket", action="store_true", help="frames through the WebSocket relay instead")
    parser.add_argument("--http2", action="store_true", help="frames of HTTP/2 through the gateway instead")
    parser.add_argument("--telemetry", action="store_true", help="bodies of telemetry through their readers instead")
    asked = parser.parse_args()
    asked.cases = asked.cases or (60_000 if asked.websocket else 100_000 if asked.http2 else 1_000_000)
    begun_s = time.monotonic()
    done = sent = reached = refused = 0
    findings: list[str] = []
    with ProcessPoolExecutor(asked.processes) as pool:  # it notices a process that crashes
        work = functools.partial(batch, make=Rig if asked.engine else GatewayRig)
        if asked.websocket:
            work = functools.partial(websocket_batch)
        elif asked.http2:
            work = functools.partial(http2_batch)
        elif asked.telemetry:
            work = functools.partial(telemetry_batch)
        for sums in pool.map(work, range(asked.seed, asked.seed + asked.cases, _BATCH)):
            done, sent, reached, refused = done + _BATCH, sent + sums[0], reached + sums[1], refused + sums[2]
            findings += sums[3]
            for finding in sums[3][: max(0, _SHOWN_MAX - len(findings) + len(sums[3]))]:
                print(finding, flush=True)
            if done % 50_000 == 0:
                rate = done / (time.monotonic() - begun_s)
                print(f"{done:>9,} cases  {rate:,.0f}/s  {len(findings)} findings", flush=True)
    what = "frames" if asked.websocket or asked.http2 else "items" if asked.telemetry else "plain requests"
    came = "messages passed on" if asked.websocket else "were taken" if asked.telemetry else "reached an upstream"
    print(
        f"{done:,} mutated inputs in {time.monotonic() - begun_s:.0f} s: {sent:,} {what} in them, {reached:,} "
        f"{came}, {refused:,} inputs refused, {len(findings)} findings"
    )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
