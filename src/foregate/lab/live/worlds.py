"""Several live worlds in one process, side by side: each has services, traffic and faults of its own.

How many fit is a question of CPU time: whoever runs them measures whether their loop keeps up.
"""

import asyncio
from collections.abc import Callable, Mapping

from foregate.kernel.clock import Clock
from foregate.kernel.tasks import report_to_stderr
from foregate.lab.heart import BEAT_S
from foregate.lab.live.config import LabAddresses, LabConfig
from foregate.lab.live.instances import Report
from foregate.lab.live.run import Lab


class Worlds:
    """`start` them, `begin` to let time run, `close` them. The traffic of each ends after its scenario's duration."""

    def __init__(self, configs: Mapping[str, LabConfig], clock: Clock, report: Report = report_to_stderr) -> None:
        self._configs = dict(configs)
        self._labs = {name: Lab(config, clock, report) for name, config in configs.items()}

    @property
    def shed(self) -> int:
        """Visits of all worlds that were never sent, because too many were under way."""
        return sum(lab.shed for lab in self._labs.values())

    async def start(self) -> Mapping[str, LabAddresses]:
        """Listen everywhere. Raises OSError when a port is taken."""
        return {name: await lab.start() for name, lab in self._labs.items()}

    async def begin(self, begun: Callable[[str], None] = lambda name: None) -> None:
        """Let time run in one world after the other, `begun` hears of each.

        They begin spread over a beat: hearts that beat together would stop the loop once a second, for all at once.
        """
        loop = asyncio.get_running_loop()
        for name, lab in self._labs.items():
            lab.begin()
            begun(name)
            loop.call_later(self._configs[name].scenario.duration_s, lab.rest)
            await asyncio.sleep(BEAT_S / len(self._labs))

    async def close(self) -> None:
        """Stop the traffic, then the listeners."""
        for lab in self._labs.values():
            lab.rest()
        for lab in self._labs.values():
            await lab.close()
