"""Alerts reach a webhook, over a real socket; a refusal is tried again."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog

from foregate.adapters.embedded.notifier import Webhook
from foregate.app import notify
from foregate.app.notify import Notifications
from foregate.wire.alert import Alert
from foregate.wire.entity import Entity

ALERT = Alert(
    id="alr_1",
    raised_s=1_700_000_000.0,
    updated_s=1_700_000_000.0,
    entity=Entity("default", "payments", "/pay", "production"),
    state="open",
    outcome="pending",
    score=0.9,
    peak_score=0.9,
    threshold=0.8,
    horizon_s=900,
    model_version="1-abc",
    title="payments /pay is likely to fail within 15 minutes (90 %)",
    reasons=("p95 latency is 480 ms, 3.2× its usual 150 ms",),
)


@contextmanager
def receiver(statuses: list[int]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook's other end that answers with `statuses` in turn (the last one for ever)."""
    got: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(statuses[min(len(got), len(statuses)) - 1])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", got
        finally:
            server.shutdown()
            thread.join()


def deliver(url: str, got: list[dict[str, Any]], tries: int) -> None:
    """Hand over one alert, wait until it was tried so often, then close."""
    notifications = Notifications(Webhook(url), structlog.wrap_logger(structlog.ReturnLogger()))
    notifications.offer(ALERT)
    deadline = time.monotonic() + 10
    while len(got) < tries and time.monotonic() < deadline:
        time.sleep(0.01)
    notifications.close()


def test_an_alert_reaches_the_webhook_with_its_reasons() -> None:
    with receiver([204]) as (url, got):
        deliver(url, got, 1)
    assert len(got) == 1
    assert got[0]["specversion"] == "1.0"
    assert got[0]["data"]["id"] == "alr_1"
    assert got[0]["data"]["reasons"] == list(ALERT.reasons)


def test_a_refused_notification_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "WAITS_S", (0.01, 0.01))
    with receiver([500, 503, 200]) as (url, got):
        deliver(url, got, 3)
    assert len(got) == 3


def test_a_dead_webhook_is_given_up_after_its_tries_and_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "WAITS_S", (0.01,))
    with receiver([500]) as (url, got):
        deliver(url, got, 2)
        time.sleep(0.1)
    assert len(got) == 2
