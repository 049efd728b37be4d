"""A gateway worker process: imports the data plane, the spool and the shared numbers, and nothing heavier."""

import gc
import random
import resource
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import structlog
import uvloop

from foregate.adapters.embedded.blocks import open_blocks
from foregate.adapters.embedded.cache import open_cache
from foregate.app.extensions import present_extensions_of
from foregate.app.heartbeat import beat, claim_beat
from foregate.app.limit_store import WorkerLimits
from foregate.app.listeners import listen_at
from foregate.app.logs import configure_logs
from foregate.app.paths import located
from foregate.app.roles.follow import Follower
from foregate.app.roles.follow_verdicts import VerdictsFollower
from foregate.app.roles.lifetime import stop_event
from foregate.app.roles.options import RoleOptions
from foregate.app.runtime import Runtime, read_runtime
from foregate.app.watch import stamp
from foregate.app.worker_events import WorkerEvents
from foregate.gateway import Gateway
from foregate.http1.tls import BadCertificate
from foregate.kernel.clock import SystemClock
from foregate.kernel.tasks import spawn
from foregate.wire.snapshot import decode_snapshot

EXIT_RUNTIME = 3
OPEN_FILES = 65_536  # wanted; a connection on either side is one, and the usual soft limit of 1,024 is soon reached
CLIENTS_OF_FILES = 0.45  # at most so many of the open files are clients: each may need one towards an upstream too
GC_THRESHOLDS = (50_000, 20, 100)  # a request leaves few cycles: collect rarely, on the hot path it costs latency


def run(options: RoleOptions) -> int:
    """Serve until told to stop, then drain."""
    log = configure_logs(options.logs, f"gateway-{options.worker}")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = max(soft, min(hard, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        return uvloop.run(_main(options, read_runtime(options.data), int(soft * CLIENTS_OF_FILES), log))
    except (OSError, msgspec.DecodeError, BadCertificate) as error:
        log.error("stopped_by_error", error=str(error))
        return EXIT_RUNTIME


async def _main(
    options: RoleOptions, runtime: Runtime, clients_max: int, log: structlog.typing.FilteringBoundLogger
) -> int:
    clock, data = SystemClock(), options.data
    seen = stamp(data.snapshot)
    snapshot = decode_snapshot(data.snapshot.read_bytes())
    with _naming(data.counters):
        blocks = open_blocks(data.counters, runtime.workers, options.worker)
    if claim_beat(blocks) is None:  # first of all: the gateway's blocks may take the last room
        log.error("no_room_for_heartbeat", effect="this worker is not replaced when it hangs")
    with _naming(data.limits):
        limits = WorkerLimits(data.limits, runtime.workers, options.worker, snapshot, log)
    with _naming(data.cache):
        cache = open_cache(data.cache, options.worker, snapshot.cache, clock, _warned(log))
    events = WorkerEvents(data, options.worker, log)
    extensions, missing = present_extensions_of(snapshot)
    for name, error in missing.items():
        log.error("extension_missing", extension=name, error=str(error), effect="requests that it guards get a 500")
    gateway = Gateway(
        snapshot,
        clock=clock,
        sink=events.open(),
        blocks=blocks,
        limits=limits.store,
        pepper=data.pepper(),
        rng=random.Random(secrets.randbits(64)),  # noqa: S311 - spreads retries, guards nothing
        log=_warned(log),
        extensions=extensions,
        whole=not missing,
        clients_max=clients_max,
        cache=cache,
        instance=socket.gethostname(),
    )
    snapshot = msgspec.structs.replace(snapshot, routes=(), keys=())  # the gateway has them in its own form
    follower = Follower(gateway, data.snapshot, seen, clock, log)
    stop = await stop_event(options.supervised, follower.nudged)
    following = spawn(follower.run(), name="follow snapshot")
    verdicts = VerdictsFollower(data.verdicts, gateway.verdicts, log)
    verdicts.look()  # nobody who is blocked slips in while we begin
    judging = spawn(verdicts.run(), name="follow verdicts")
    # Listening comes last: from the first moment the kernel hands connections to whoever listens.
    inherited = iter(options.sockets)
    for listener in snapshot.listeners:
        await gateway.serve(listen_at(listener, inherited), listener)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    log.info("serving", snapshot=snapshot.version, listeners=len(snapshot.listeners))
    beating = spawn(beat(blocks, clock), name="beat")
    await stop.wait()
    log.info("draining", at_most_s=snapshot.drain_s)
    following.cancel()
    judging.cancel()
    await gateway.drain(snapshot.drain_s)
    beating.cancel()
    events.close()
    await limits.close()
    cache.close()
    blocks.close()
    return 0


def _warned(log: structlog.typing.FilteringBoundLogger) -> Callable[[str, dict[str, object]], None]:
    return lambda what, facts: log.warning(what, **facts)


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    """An error of the system's says which file it is about."""
    try:
        yield
    except OSError as error:
        raise located(error, file) from error
