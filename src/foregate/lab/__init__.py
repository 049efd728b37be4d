"""The lab: a demo world of real services whose faults can be switched on, live on sockets or headless in virtual time.

Consumes a `Scenario` (traffic, faults, seed). Failures emerge from mechanisms: heaps, pools, quotas, queues.
Headless (`run_headless`) it emits the `RequestEvent`s that the gateway would, far faster than real time. Live
(`run_lab`) it emits real requests to the gateway at `LabConfig.gateway_url`, serves them on loopback, and takes faults
at its control endpoint (documented in `lab.live.control`); `demo_config` is the foregate.yaml for a gateway before it.
Promises: the same scenario gives the same headless events, byte for byte; live, nothing listens beyond loopback, and a
crashed service really refuses connections.
"""

from foregate.lab.headless.run import run_headless
from foregate.lab.live.config import LabConfig
from foregate.lab.live.demo import demo_config
from foregate.lab.live.run import run_lab
from foregate.lab.scenario import Fault, Scenario, random_scenario

__all__ = ["Fault", "LabConfig", "Scenario", "demo_config", "random_scenario", "run_headless", "run_lab"]
