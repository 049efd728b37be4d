"""A gateway worker process: imports the data plane, the spool and the counters, and nothing heavier."""

import gc
import random
import resource
import secrets

import msgspec
import structlog
import uvloop

from foregate.adapters.embedded.counters import open_counters
from foregate.app.listeners import listen
from foregate.app.logs import configure_logs
from foregate.app.roles.lifetime import stop_event
from foregate.app.roles.options import RoleOptions
from foregate.app.runtime import Runtime, read_runtime
from foregate.app.worker_events import WorkerEvents
from foregate.gateway import Gateway, counter_slots
from foregate.kernel.clock import SystemClock
from foregate.wire.snapshot import Snapshot, decode_snapshot

EXIT_RUNTIME = 3
OPEN_FILES = 65_536  # wanted; a connection on either side is one, and the usual soft limit of 1,024 is soon reached
GC_THRESHOLDS = (50_000, 20, 100)  # a request leaves few cycles: collect rarely, on the hot path it costs latency


def run(options: RoleOptions) -> int:
    """Serve until told to stop, then drain."""
    log = configure_logs(options.logs, f"gateway-{options.worker}")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, OPEN_FILES)), hard))
    try:
        snapshot = decode_snapshot(options.data.snapshot.read_bytes())
        runtime = read_runtime(options.data)
        return uvloop.run(_main(options, runtime, snapshot, log))
    except (OSError, msgspec.DecodeError) as error:
        log.error("stopped_by_error", error=str(error))
        return EXIT_RUNTIME


async def _main(
    options: RoleOptions,
    runtime: Runtime,
    snapshot: Snapshot,
    log: structlog.typing.FilteringBoundLogger,
) -> int:
    stop = await stop_event(options.supervised)
    clock, data = SystemClock(), options.data
    counters = open_counters(
        data.counters, runtime.workers, counter_slots(snapshot), options.worker, layout=snapshot.version
    )
    events = WorkerEvents(data, options.worker, clock, log)
    gateway = Gateway(
        snapshot,
        clock=clock,
        sink=events.open(),
        counters=counters,
        pepper=data.pepper(),
        rng=random.Random(secrets.randbits(64)),  # noqa: S311 - spreads retries, guards nothing
        log=lambda what, facts: log.warning(what, **facts),
    )
    # Listening comes last: from the first moment the kernel hands connections to whoever listens.
    await gateway.serve(listen(snapshot.gateway_host, snapshot.gateway_port, shared=True))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    log.info("serving", snapshot=snapshot.version, port=snapshot.gateway_port)
    await stop.wait()
    log.info("draining", at_most_s=snapshot.drain_s)
    await gateway.drain(snapshot.drain_s)
    events.close()
    counters.close()
    return 0
