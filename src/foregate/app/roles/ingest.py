"""An ingest process: takes telemetry in, and acknowledges what the bus has stored."""

import gc
import os
import resource
import secrets
import sys
from collections.abc import Iterator

import msgspec
import structlog
import uvloop

from foregate.adapters.embedded.blocks import open_blocks
from foregate.app.bus import open_bus
from foregate.app.disk import Disk
from foregate.app.listeners import listen_at
from foregate.app.logs import configure_logs
from foregate.app.paths import located
from foregate.app.roles.follow_keys import KeysFollower
from foregate.app.roles.lifetime import stop_event
from foregate.app.roles.options import RoleOptions
from foregate.app.runtime import Runtime, read_ingest, read_runtime
from foregate.app.watch import stamp
from foregate.kernel.clock import SystemClock
from foregate.kernel.tasks import spawn
from foregate.telemetry.ingest import INTAKE_ROWS, IngestServer
from foregate.wire.snapshot import Listener

EXIT_RUNTIME = 3
OPEN_FILES = 65_536  # wanted: a connection is one
CONNECTIONS_OF_FILES = 0.9
DRAIN_S = 5.0  # posts take milliseconds; what is slower than that is broken off, and was not acknowledged
SWITCH_S = 0.0005  # how long a thread that reads a large post keeps the interpreter from the loop at a time
GC_THRESHOLDS = (50_000, 20, 100)  # a post leaves few cycles: collecting often only costs latency


def run(options: RoleOptions) -> int:
    """Take in until told to stop, then drain."""
    log = configure_logs(options.logs, f"ingest-{options.worker}")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = max(soft, min(hard, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        return uvloop.run(_main(options, read_runtime(options.data), int(soft * CONNECTIONS_OF_FILES), log))
    except (OSError, msgspec.DecodeError) as error:
        log.error("stopped_by_error", error=str(error))
        return EXIT_RUNTIME


async def _main(
    options: RoleOptions, runtime: Runtime, connections_max: int, log: structlog.typing.FilteringBoundLogger
) -> int:
    clock, data = SystemClock(), options.data
    seen = stamp(data.ingest)
    settings, disk = read_ingest(data), Disk(data.root, clock)
    try:
        blocks = open_blocks(data.ingest_counts, INTAKE_ROWS, options.worker)
    except OSError as error:
        raise located(error, data.ingest_counts) from error
    server = IngestServer(
        settings,
        open_bus=lambda: open_bus(data, runtime.bus, clock),
        blocks=blocks,
        pepper=data.pepper(),
        clock=clock,
        log=lambda what, facts: log.warning(what, **facts),
        producer=f"ingest-{options.worker}-{os.getpid()}-{secrets.token_hex(8)}",
        connections_max=connections_max,
        refuse=lambda: _unstorable(disk),
    )
    follower = KeysFollower(server, data, seen, log)
    stop = await stop_event(options.supervised, follower.nudged)
    following = spawn(follower.run(), name="follow keys")
    inherited = iter(options.sockets)
    for listener in _listeners(settings.listen):
        server.listen(listen_at(listener, inherited))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_S)
    log.info("taking_in", listeners=len(settings.listen), keys=len(settings.keys))
    await stop.wait()
    following.cancel()
    await server.close(DRAIN_S)
    blocks.close()
    return 0


def _unstorable(disk: Disk) -> str:
    """Why nothing may be stored now; "" where it may."""
    try:
        state = disk.state()
    except OSError as error:  # the folder is gone
        return str(error)
    return state.reason if state.level == "full" else ""


def _listeners(addresses: tuple[str, ...]) -> Iterator[Listener]:
    """The configuration has judged them; reading them here spares this process all of `app.config`."""
    for text in addresses:
        if text.startswith("unix:"):
            yield Listener("", 0, text.removeprefix("unix:"))
        else:
            host, _, port = text.rpartition(":")
            yield Listener(host.strip("[]"), int(port))
