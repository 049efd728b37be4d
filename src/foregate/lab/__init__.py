"""The lab: a demo world of real services whose faults can be switched on, live on sockets or headless in virtual time.

Consumes a `Scenario` (traffic, faults, seed). Headless it emits the `RequestEvent`s that the gateway would, far faster
than real time and the same for the same seed. Failures emerge from mechanisms: heaps, pools, quotas, queues.
"""

from foregate.lab.headless.run import run_headless
from foregate.lab.scenario import Fault, Scenario, random_scenario

__all__ = ["Fault", "Scenario", "random_scenario", "run_headless"]
