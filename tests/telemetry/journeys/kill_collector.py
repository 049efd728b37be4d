"""The keeper reduced to its collector: steps until it is killed. Argument: the folder of the stores."""

import sys
from pathlib import Path

from tests.telemetry.journeys.rig import Rig

from foregate.kernel.clock import SystemClock
from foregate.wire.survey import Journeys

SETTINGS = Journeys(share=0.5, rest_per_minute_max=1_000_000, quiet_s=0.3, age_s_max=2.0)


def main(folder: str) -> None:
    rig = Rig(Path(folder), SystemClock(), SETTINGS)
    (Path(folder) / "ready").touch()
    while True:
        rig.collector.step()


if __name__ == "__main__":
    main(*sys.argv[1:])
