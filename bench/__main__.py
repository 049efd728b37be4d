"""`python -m bench [name …] [--option …]`: the figures that the README quotes. Without names: all but
the last nine.

Names: proxy, policies, latency, refused, scale, limits, leave, reload, balance, streams, http2, websocket, ai, abuse,
cache, bus, formats, ingest, imports, query, archive, journeys, windows, cache-tests, soak, live-lab, lab-minutes,
known, predict.
Options go to the one that is named; `python -m bench latency --help` lists them. Exit status: 0, or 1 where a goal
is missed or a figure is not valid. JSON lands in bench/out/.
"""

import importlib
import sys
import time
import traceback

ALL = (
    "proxy",
    "policies",
    "latency",
    "refused",
    "scale",
    "limits",
    "leave",
    "reload",
    "balance",
    "streams",
    "http2",
    "websocket",
    "ai",
    "abuse",
    "cache",
    "bus",
    "formats",
    "ingest",
    "imports",
    "query",
)
NAMES = (*ALL, "archive", "journeys", "windows", "cache-tests", "soak", "live-lab", "lab-minutes", "known", "predict")


def main(argv: list[str]) -> int:
    """Runs them in turn; one that breaks does not keep the others from running."""
    names = [word for word in argv if not word.startswith("-")] if not argv or argv[0] in NAMES else []
    if argv and argv[0] in NAMES and len(argv) > 1 and argv[1].startswith("-"):
        names, options = [argv[0]], argv[1:]
    else:
        options = []
    unknown = [name for name in names if name not in NAMES]
    if unknown or (argv and not names):
        print(__doc__, file=sys.stderr)
        return 2
    return max(run(name, options) for name in names or ALL)


def run(name: str, options: list[str]) -> int:
    print(f"\n=== {name} ===", flush=True)
    begin_s = time.monotonic()
    try:
        status = int(importlib.import_module(f"bench.{name.replace('-', '_')}").main(options))
    except Exception:  # noqa: BLE001 - said loudly, and the next one runs
        traceback.print_exc()
        print(f"BROKEN  {name} ended with the error above")
        status = 1
    print(f"({name}: {time.monotonic() - begin_s:.0f} s)", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
