"""`foregate up`: from a configuration to running, supervised processes."""

import asyncio
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from foregate.app.config import Loaded
from foregate.app.config.addresses import Address, parse_address, parse_listener
from foregate.app.config.compile import compile_ingest, compile_objectives
from foregate.app.config.problems import ConfigRefused, Problem
from foregate.app.config.problems import Path as KeyPath
from foregate.app.config.schema import Config
from foregate.app.config.verify import verified
from foregate.app.console import console_link
from foregate.app.heartbeat import BEAT_S, HUNG_LOOKS, Beats, replace_hung
from foregate.app.listeners import listen_unix
from foregate.app.logs import LogStyle
from foregate.app.paths import DataDir
from foregate.app.readiness import wait_ready
from foregate.app.reload import Reloader, Source, store
from foregate.app.roles.options import RoleOptions
from foregate.app.runtime import Runtime, write_ingest, write_runtime
from foregate.app.supervise import STOP_TIMEOUT_S, ChildSpec, Supervisor
from foregate.app.training.environment import ONE_THREAD
from foregate.kernel.clock import SystemClock
from foregate.kernel.tasks import spawn
from foregate.wire.snapshot import decode_snapshot

READY_TIMEOUT_S = 60.0
# Read by pyarrow and the C library when they are loaded: what is freed goes back, a third of the memory stays.
KEEPERS_MEMORY = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2"}
NO_SIGN = f"no sign of life for {HUNG_LOOKS * BEAT_S:g} s"
Announce = Callable[[Runtime, str], None]  # what the children were told, and the link that opens the console once


@dataclass(frozen=True)
class Launch:
    """What to start. `lab_control_url` is set by the demo, which also starts the lab."""

    loaded: Loaded
    data: DataDir
    workers: int
    logs: LogStyle
    environ: dict[str, str]
    lab_control_url: str | None = None


def prepare(launch: Launch) -> Runtime:
    """Check what can be checked before anything starts, and write what the children read. Raises ConfigRefused."""
    config, data = launch.loaded.config, launch.data
    for path, address in [*config.listen.all, *_ingest_addresses(config)]:
        _refuse_taken_port(launch.loaded, path, address)
    host, port = parse_address(config.listen.console)
    runtime = Runtime(
        console_host=host,
        console_port=port,
        gateway_url=config.listen.all[0][1].url,
        workers=launch.workers,
        alert_threshold=config.alerts.threshold,
        false_alarms_per_day=config.alerts.false_alarms_per_day,
        false_alarms=config.alerts.organisations,
        explain=config.predict.explain,
        bus_bytes_max=config.telemetry.bus_bytes_max,
        webhook=config.alerts.webhook,
        model_path=config.predict.model_path,
        learn_daily=config.predict.learn == "daily" and config.predict.model_path is None,
        lab_control_url=launch.lab_control_url,
        bus=config.telemetry.bus.kafka if config.telemetry.bus.kafka.brokers else None,
        retention_days=config.telemetry.retention_days,
        retention=config.telemetry.retention,
        export=config.telemetry.export,
        archive_bytes_max=config.telemetry.archive_bytes_max,
        store=config.telemetry.store or "",
        flush_interval_s=config.telemetry.flush_interval_s,
        journeys=config.telemetry.journeys,
        logs=config.telemetry.logs,
        ingest_workers=config.telemetry.ingest_workers if config.telemetry.ingest_keys else 0,
        objectives=compile_objectives(config),
    )
    try:
        data.console_token()
        store(data, verified(launch.loaded, data.pepper()))
        write_ingest(data, compile_ingest(config, data.pepper()))
        write_runtime(data, runtime)
    except OSError as error:
        raise ConfigRefused([Problem("--data-dir", "", str(error))]) from error
    return runtime


def start(launch: Launch, runtime: Runtime, announce: Announce, log: structlog.typing.FilteringBoundLogger) -> int:
    """Run until SIGINT or SIGTERM. Returns the exit status. `announce` is called once everything answers."""
    return asyncio.run(_supervise(launch, runtime, announce, log))


async def _supervise(
    launch: Launch, runtime: Runtime, announce: Announce, log: structlog.typing.FilteringBoundLogger
) -> int:
    sockets = _unix_sockets(launch.loaded.config.listen.all)
    ingest_sockets = _unix_sockets(_ingest_addresses(launch.loaded.config))
    specs = child_specs(launch, _descriptors(sockets), _descriptors(ingest_sockets))
    supervisor = Supervisor(specs, clock=SystemClock(), log=log, status_file=launch.data.processes)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # nobody may be told whom to signal before that is safe
    reloader = Reloader(
        Source(launch.loaded.file, launch.environ),
        launch.loaded,
        decode_snapshot(launch.data.snapshot.read_bytes()).version,
        launch.data,
        nudge=lambda: _nudge(supervisor),
        clock=SystemClock(),
        log=log,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, supervisor.stop)
    terminal = _has_terminal()

    def hung_up() -> None:
        """The terminal we were started from is gone, or somebody wants the configuration read again."""
        if terminal and not _has_terminal():
            supervisor.stop()
        else:
            reloader.asked()

    loop.add_signal_handler(signal.SIGHUP, hung_up)
    config = launch.loaded.config
    addresses = [address for _, address in [*config.listen.all, *_ingest_addresses(config)]]

    async def announce_when_ready() -> None:
        late = await wait_ready(addresses, READY_TIMEOUT_S)
        if late:
            log.error("not_ready", addresses=[address.url for address in late], after_s=READY_TIMEOUT_S)
        else:
            announce(runtime, await asyncio.to_thread(console_link, runtime, launch.data))

    announcing = spawn(announce_when_ready(), name="announce")
    watching = spawn(reloader.run(), name="watch configuration")
    beats = Beats(launch.data, launch.workers)
    replacing = spawn(
        replace_hung(beats, launch.workers, supervisor.pid, lambda name: supervisor.replace(name, NO_SIGN)),
        name="replace hung workers",
    )
    status = await supervisor.run()
    for task in (announcing, watching, replacing):
        task.cancel()
    beats.close()
    _close_unix([*sockets, *ingest_sockets])
    return status


def _nudge(supervisor: Supervisor) -> None:
    """The configuration has changed: tell those who follow it."""
    for prefix in ("gateway-", "ingest-"):
        supervisor.nudge(prefix)


def _ingest_addresses(config: Config) -> Sequence[tuple[KeyPath, Address]]:
    """Where telemetry is taken in, each with its place in the file; nowhere without keys."""
    if not config.telemetry.ingest_keys:
        return ()
    return [(("listen", "ingest", index), parse_listener(text)) for index, text in enumerate(config.listen.ingest)]


def _descriptors(sockets: Sequence[socket.socket]) -> tuple[int, ...]:
    return tuple(sock.fileno() for sock in sockets)


def _close_unix(sockets: Sequence[socket.socket]) -> None:
    for sock in sockets:
        Path(sock.getsockname()).unlink(missing_ok=True)
        sock.close()


def _unix_sockets(addresses: Sequence[tuple[KeyPath, Address]]) -> list[socket.socket]:
    """The Unix sockets that processes share, made here so that they outlive any of them. Raises OSError."""
    return [listen_unix(address.socket) for _, address in addresses if address.socket]


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def child_specs(
    launch: Launch, sockets: tuple[int, ...] = (), ingest_sockets: tuple[int, ...] = ()
) -> Sequence[ChildSpec]:
    """The processes of one machine. First stops who asks, then the workers, then who moves and reads their events.

    `sockets`: descriptors of the Unix sockets that the workers listen on; `ingest_sockets`: who takes telemetry in.
    """
    specs = [
        _spec(launch, "control", stop_order=0),
        _spec(launch, "courier", stop_order=2),
        _spec(launch, "analyzer", stop_order=3),
        _spec(launch, "keeper", stop_order=3),
    ]
    specs += [
        _spec(launch, "gateway", worker=worker, stop_order=1, sockets=sockets) for worker in range(launch.workers)
    ]
    telemetry = launch.loaded.config.telemetry
    specs += [
        _spec(launch, "ingest", worker=worker, stop_order=1, sockets=ingest_sockets)
        for worker in range(telemetry.ingest_workers if telemetry.ingest_keys else 0)
    ]
    if launch.lab_control_url is not None:
        specs.append(_spec(launch, "lab", stop_order=0))
    return specs


def _spec(launch: Launch, role: str, *, stop_order: int, worker: int = 0, sockets: tuple[int, ...] = ()) -> ChildSpec:
    options = RoleOptions(role, launch.data, worker, launch.logs, supervised=True, sockets=sockets)
    name = f"{role}-{worker}" if role in ("gateway", "ingest") else role
    # -P: nothing is imported from the folder that we happen to be started in.
    argv = (sys.executable, "-P", "-m", "foregate.app.roles", *options.argv())
    drain_s = launch.loaded.config.drain_s if role == "gateway" else 0.0
    environ = {**KEEPERS_MEMORY, **ONE_THREAD, **launch.environ} if role == "keeper" else launch.environ
    return ChildSpec(name, argv, environ, stop_order, sockets, drain_s + STOP_TIMEOUT_S)


def _refuse_taken_port(loaded: Loaded, path: KeyPath, address: Address) -> None:
    if address.socket:
        return  # a worker replaces a socket that nobody listens on any more
    host, port = address.host, address.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            sentence = f"cannot listen on {host}:{port}: {reason}. Stop what uses it, or choose another address"
            raise loaded.refuse(path, sentence) from error


@contextmanager
def owned(data: DataDir) -> Iterator[None]:
    """Hold the data directory: two foregates in one would count everything twice. Raises ConfigRefused."""
    try:
        data.create()
        descriptor = os.open(data.lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigRefused([Problem("--data-dir", "", f"{data.root} cannot be used: {error.strerror}")]) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ConfigRefused([Problem("--data-dir", "", f"{data.root} is in use by another foregate")]) from error
    try:
        data.reload.unlink(missing_ok=True)  # the process it names is gone, and its number may be another's by now
        yield
    finally:
        os.close(descriptor)


def default_file() -> Path | None:
    """`foregate.yaml` here, when there is one."""
    file = Path("foregate.yaml")
    return file if file.is_file() else None
