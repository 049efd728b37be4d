"""The product's own gateway worker, as `foregate up` starts it, with everything on that a route can have."""

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.process import Running, start
from foregate.app.paths import DataDir, write_private
from foregate.app.runtime import Runtime, write_runtime
from foregate.kernel.secrets import hash_key, new_key
from foregate.wire.snapshot import Key, RateLimit, Route, Service, Snapshot, Target, encode_snapshot

KEY = new_key("bench")


def start_foregate(folder: Path, port: int, upstream_ports: Sequence[int]) -> Running:
    """API key, token bucket (never empty), breaker, retries, durable events and shared counters are on."""
    data = DataDir(folder / f"foregate-{port}")
    data.create()
    targets = tuple(Target(f"http://127.0.0.1:{each}", "127.0.0.1", each) for each in upstream_ports)
    snapshot = Snapshot(
        version="bench",
        gateway_host="127.0.0.1",
        gateway_port=port,
        services=(Service("bench", targets),),
        routes=(Route("/", "bench", rate_limit=RateLimit(rate=1e6, burst=1e6)),),
        keys=(Key("key_bench", "bench", hash_key(KEY, data.pepper())),),
    )
    write_private(data.snapshot, encode_snapshot(snapshot).decode())
    write_runtime(data, Runtime("127.0.0.1", 0, f"http://127.0.0.1:{port}", workers=1, alert_threshold=0.8))
    argv = [sys.executable, "-m", "foregate.app.roles", "gateway", "--data-dir", str(data.root)]
    return start("foregate", argv, port, folder)
