"""`python -m tests.fuzz`: as many cases as you like, with their rate and findings. Exit 1 when there are any."""

import argparse
import multiprocessing
import sys
import time

from tests.fuzz.judge import Finding, case

SEED = 20_261_121_000_000
_BATCH = 2_000
_SHOWN_MAX = 20


def batch(first: int) -> tuple[int, int, int, list[str]]:
    """Sums over _BATCH cases: messages sent, messages that reached an upstream, refusals; and the findings."""
    sent = reached = refused = 0
    findings = []
    for seed in range(first, first + _BATCH):
        try:
            outcome = case(seed)
        except Finding as finding:
            findings.append(str(finding))
            continue
        sent, reached, refused = sent + outcome.sent, reached + outcome.reached, refused + outcome.refused
    return sent, reached, refused, findings


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=SEED, help="of the first case; the next has the next number")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    begun_s = time.monotonic()
    done = sent = reached = refused = 0
    findings: list[str] = []
    with multiprocessing.Pool(asked.processes) as pool:
        for sums in pool.imap_unordered(batch, range(asked.seed, asked.seed + asked.cases, _BATCH)):
            done, sent, reached, refused = done + _BATCH, sent + sums[0], reached + sums[1], refused + sums[2]
            findings += sums[3]
            for finding in sums[3][: max(0, _SHOWN_MAX - len(findings) + len(sums[3]))]:
                print(finding, flush=True)
            if done % 50_000 == 0:
                rate = done / (time.monotonic() - begun_s)
                print(f"{done:>9,} cases  {rate:,.0f}/s  {len(findings)} findings", flush=True)
    print(
        f"{done:,} mutated inputs in {time.monotonic() - begun_s:.0f} s: {sent:,} plain requests in them, {reached:,} "
        f"reached an upstream, {refused:,} inputs refused, {len(findings)} findings"
    )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
