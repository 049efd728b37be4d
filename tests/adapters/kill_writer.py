"""A gateway worker reduced to its spool: puts events nearly at full speed until it is killed.

Arguments: folder of the spool, counters file, number of the first event. Cell 0: the last event that was
acknowledged; cell 1: the last one that was tried.
"""

import itertools
import sys
import time
from pathlib import Path

import msgspec
from tests.telemetry.making import event

from foregate.adapters.embedded.blocks import open_blocks
from foregate.adapters.embedded.spool import Spool


def main(folder: str, counters_path: str, first: str) -> None:
    (counters,) = open_blocks(Path(counters_path), 1, 0).claim([("writer", 2)])
    spool = Spool(Path(folder), segment_bytes=200_000, segments_max=1_000)
    plain = event()
    for number in itertools.count(int(first)):
        one = msgspec.structs.replace(plain, request_id=str(number))
        counters.own[1] = float(number)
        if not spool.put(one):
            raise SystemExit("shed: the bounds of this test are too small")
        counters.own[0] = float(number)
        if number % 500 == 0:
            spool.prepare()
            time.sleep(0.001)  # the courier, on a busy machine, must keep up


if __name__ == "__main__":
    main(*sys.argv[1:])
