"""The analyzer reduced to its consumer: steps and rolls up until it is killed. Argument: the folder of the stores."""

import sys
from pathlib import Path

from tests.telemetry.making import T0
from tests.telemetry.world import Stores

from foregate.kernel.clock import ManualClock


def main(folder: str) -> None:
    stores = Stores(Path(folder), ManualClock(T0 + 3_000))
    consumer = stores.consumer()
    (Path(folder) / "ready").touch()
    while True:
        stores.clock.advance(0.001)  # by hand, so that events are late or not as they are in the test
        consumer.step()
        consumer.roll_up()


if __name__ == "__main__":
    main(*sys.argv[1:])
