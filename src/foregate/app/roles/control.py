"""The control process: the console, its API and its live stream."""

import socket

import structlog
import uvloop

from foregate.app.listeners import listen
from foregate.app.logs import configure_logs
from foregate.app.roles.lifetime import stop_event
from foregate.app.roles.options import RoleOptions
from foregate.app.runtime import read_runtime
from foregate.app.wiring import control_deps
from foregate.control import ControlDeps, create_app, serve

EXIT_RUNTIME = 3


def run(options: RoleOptions) -> int:
    """Serve the console until told to stop."""
    log = configure_logs(options.logs, "control")
    try:
        runtime = read_runtime(options.data)
        listener = listen(runtime.console_host, runtime.console_port)
        return uvloop.run(_main(options, control_deps(options.data, runtime, log), listener, log))
    except OSError as error:
        log.error("stopped_by_error", error=str(error))
        return EXIT_RUNTIME


async def _main(
    options: RoleOptions, deps: ControlDeps, listener: socket.socket, log: structlog.typing.FilteringBoundLogger
) -> int:
    stop = await stop_event(options.supervised)
    log.info("console_listening", port=listener.getsockname()[1])
    await serve(create_app(deps), listener, stop)
    return 0
