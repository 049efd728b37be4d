"""The lab process: the demo's services, its traffic and its faults."""

import msgspec
import structlog
import uvloop

from foregate.app.demo import LabOrder
from foregate.app.logs import configure_logs
from foregate.app.roles.lifetime import stop_event
from foregate.app.roles.options import RoleOptions
from foregate.kernel.clock import SystemClock
from foregate.lab import LabConfig, Scenario, run_lab
from foregate.lab.live.config import LabAddresses

EXIT_RUNTIME = 3


def run(options: RoleOptions) -> int:
    """Run the lab until told to stop."""
    log = configure_logs(options.logs, "lab")
    try:
        order = msgspec.json.decode(options.data.lab.read_bytes(), type=LabOrder)
        return uvloop.run(_main(options, order, log))
    except OSError as error:
        log.error("stopped_by_error", error=str(error))
        return EXIT_RUNTIME


async def _main(options: RoleOptions, order: LabOrder, log: structlog.typing.FilteringBoundLogger) -> int:
    stop = await stop_event(options.supervised)
    config = LabConfig(
        gateway_url=order.gateway_url,
        keys=order.keys,
        scenario=Scenario.demo(order.seed),
        ports=order.ports,
        control_port=order.control_port,
        telemetry_url=order.telemetry_url,
        telemetry_key=order.telemetry_key,
    )

    def ready(addresses: LabAddresses) -> None:
        log.info("lab_listening", control=addresses.control_url, services=dict(addresses.ports))

    def report(name: str, error: BaseException) -> None:
        log.error("lab_task_failed", task=name, error=repr(error))

    await run_lab(config, SystemClock(), stop=stop, ready=ready, report=report)
    return 0
