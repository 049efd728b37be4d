"""The whole foregate with its telemetry in PostgreSQL, which is restarted under it."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from tests.ports.postgres_server import PostgresServer
from tests.process.harness import KEY, Foregate, foregate, upstream
from tests.process.test_up import get

ARRIVE_S = 60.0


def until(true: Callable[[], bool], running: Foregate) -> None:
    deadline = time.monotonic() + ARRIVE_S
    while not true():
        assert time.monotonic() < deadline, running.log.read_text()[-3000:]
        time.sleep(0.1)


def test_traffic_is_told_from_postgres_and_none_is_lost_while_it_is_away(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    with upstream() as target, postgres.schema() as url:
        services = (
            f"services: {{a: {{targets: ['{target}']}}}}\nroutes: [{{path: /a, service: a}}]\n"
            f"telemetry: {{store: '{url}', flush_interval_s: 0.2}}"
        )
        with foregate(tmp_path, services, workers=1) as running:

            def asked(times: int) -> None:
                assert {get(f"{running.gateway}/a", X_Api_Key=KEY)[0] for _ in range(times)} == {200}

            def told(requests: int) -> bool:
                stored = postgres.execute("SELECT count(*), count(DISTINCT request_id) FROM events", url)
                return bool(
                    running.api("/metrics")["summary"]["requests"] == requests and stored == [(requests, requests)]
                )

            asked(30)
            until(lambda: told(30), running)
            postgres.stop()
            try:
                asked(20)  # who proxies does not ask it
                time.sleep(1.0)
                token = (running.data / "console.token").read_text().strip()
                status, _, body = get(f"{running.console}/api/v1/metrics", Authorization=f"Bearer {token}")
                assert (status, json.loads(body)["code"]) == (503, "store_unavailable")
            finally:
                postgres.start()
            until(lambda: told(50), running)
            asked(10)
            running.kill("keeper")
            running.kill("analyzer")
            until(lambda: told(60), running)
            assert postgres.execute("SELECT items FROM series_counts WHERE outcome = 'accepted'", url) == [(60,)]
            assert len(running.api("/requests?range=1h&limit=1000")["requests"]) == 60
            by_method = running.api("/query?range=1h&step=0&group_by=method&measures=requests,p95_ms")
            assert (by_method["from_windows"], by_method["series"][0]["group"]) == (False, {"method": "GET"})
            assert by_method["series"][0]["whole"]["requests"] == 60
            assert not (running.data / "series.sqlite").exists()
            assert not (running.data / "archive").exists()
