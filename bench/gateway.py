"""The product's own gateway workers, as `foregate up` starts them, with the configuration that a benchmark asks for."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.process import Running, start
from foregate.app.paths import DataDir, write_private
from foregate.app.runtime import Runtime, write_runtime
from foregate.kernel.secrets import hash_key, new_key
from foregate.wire import policies as wire
from foregate.wire.cache import CacheStorage
from foregate.wire.match import Rule
from foregate.wire.policies import NO_POLICIES, Policies
from foregate.wire.snapshot import Balance, Key, Listener, Route, Service, Snapshot, Target, Weighted, encode_snapshot

KEY = new_key("bench")  # the one that may come in
UNKNOWN_KEY = new_key("bench")  # well formed, and nobody's
_CONNECTIONS_MAX = 10_000
_ENDLESS = wire.Rate(1e6, 1.0)
# One of each: key (every route asks for it), token bucket (never empty), breaker and retries (on by default), event.
PLAIN = Policies(rate_limits=(wire.RateLimit(name="plain", rate=_ENDLESS, burst=1e6),))
TEN = Policies(
    ip_filter=wire.IpFilter(allow=("127.0.0.0/8", "10.0.0.0/8"), deny=("127.9.0.0/16",)),
    cors=wire.Cors(origins=("https://app.example.com",)),
    bounds=wire.Bounds(body_bytes_max=1_000_000, header_count_max=60),
    rate_limits=(
        wire.RateLimit(name="per-key", rate=_ENDLESS, burst=1e6),
        wire.RateLimit(name="per-ip", by="ip", algorithm="sliding_window", rate=wire.Rate(6e7, 60.0)),
        wire.RateLimit(name="per-route", by="route", algorithm="fixed_window", rate=wire.Rate(6e7, 60.0)),
    ),
    quotas=(wire.Quota(limit=1_000_000_000, period="day"),),
    request_transform=wire.RequestTransform(set_headers={"x-team": "bench"}, remove_headers=("x-debug",)),
    response_transform=wire.ResponseTransform(set_headers={"x-served-by": "foregate"}, remove_headers=("server",)),
)
TEN_OF_SERVICE = Policies(
    bulkhead=wire.Bulkhead(max=10_000),
    adaptive_concurrency=wire.AdaptiveConcurrency(start=1_000, min=500, max=10_000),
    circuit_breaker=wire.CircuitBreaker(failures=5, error_rate=0.5),
    retry=wire.Retry(attempts=2, base_s=0.05, max_s=1.0),
)


@dataclass
class Workers:
    """The workers of one gateway: all listen on `port`."""

    running: list[Running]
    port: int
    data: DataDir

    def stop(self) -> None:
        for each in self.running:
            each.stop()


def targets(ports: Sequence[int]) -> tuple[Target, ...]:
    return tuple(Target(f"http://127.0.0.1:{port}", "127.0.0.1", port) for port in ports)


def service(
    name: str, ports: Sequence[int], *, policies: Policies = NO_POLICIES, balance: Balance | None = None
) -> Service:
    """Room for a thousand idle streams beside the requests: the default bound of connections is just that thousand."""
    settings = balance or Balance()
    return Service(name, targets(ports), balance=settings, policies=policies, connections_max=_CONNECTIONS_MAX)


def route(path: str, to: str = "bench", *, policies: Policies = NO_POLICIES) -> Route:
    return Route(path, Rule(path=path), services=(Weighted(to),), policies=policies)


def start_workers(
    folder: Path,
    port: int,
    services: Sequence[Service],
    routes: Sequence[Route],
    *,
    name: str = "foregate",
    workers: int = 1,
    policies: Policies = NO_POLICIES,
    keys: Sequence[str] = (KEY,),
    cache: CacheStorage = CacheStorage(),  # noqa: B008 - frozen
) -> Workers:
    """Write the snapshot, start the workers, return once every one of them serves. Raises RuntimeError."""
    data = DataDir(folder / f"{name}-{port}")
    data.create()
    pepper = data.pepper()
    snapshot = Snapshot(
        version=f"{port:012x}",
        listeners=(Listener("127.0.0.1", port),),
        services=tuple(services),
        routes=tuple(routes),
        keys=tuple(Key(f"key_{n}", f"bench-{n}", hash_key(key, pepper)) for n, key in enumerate(keys)),
        policies=policies,
        cache=cache,
    )
    write_private(data.snapshot, encode(snapshot))
    write_runtime(data, Runtime("127.0.0.1", 0, f"http://127.0.0.1:{port}", workers=workers, alert_threshold=0.8))
    started = Workers([], port, data)
    courier = [sys.executable, "-m", "foregate.app.roles", "courier", "--data-dir", str(data.root)]
    try:
        for number in range(workers):
            started.running.append(_start_worker(folder, data, name, port, number))
        # Their events go on to the bus as in production, and what that costs counts.
        started.running[0].companions.append(start(f"{name}-courier", courier, None, folder))
    except RuntimeError:
        started.stop()
        raise
    return started


def encode(snapshot: Snapshot) -> str:
    return encode_snapshot(snapshot).decode()


def _start_worker(folder: Path, data: DataDir, name: str, port: int, number: int) -> Running:
    argv = [
        sys.executable,
        "-m",
        "foregate.app.roles",
        "gateway",
        "--data-dir",
        str(data.root),
        "--worker",
        str(number),
    ]
    running = start(name if number == 0 else f"{name}-{number}", argv, port, folder)
    # All listen on one port: that it accepts says nothing about this very worker. Its log does.
    until_s = time.monotonic() + 60.0
    while b'"serving"' not in running.log.read_bytes():
        if running.process.poll() is not None or time.monotonic() > until_s:
            running.stop()
            raise RuntimeError(f"{name} did not start: {running.log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.005)
    return running


def start_plain(folder: Path, port: int, upstream: int) -> Running:
    """One worker with what the figure "plain proxy" is about: key, token bucket, breaker, retries, durable event."""
    routes = [route("/", policies=PLAIN)]
    return start_workers(folder, port, [service("bench", [upstream])], routes).running[0]


def start_ten(folder: Path, port: int, upstream: int) -> Running:
    """One worker with the ten policies."""
    services = [service("bench", [upstream], policies=TEN_OF_SERVICE)]
    return start_workers(folder, port, services, [route("/", policies=TEN)], name="foregate-ten").running[0]
