"""The webhook, against a real HTTP server."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from foregate.adapters.embedded.notifier import Webhook
from foregate.wire.alert import Alert
from foregate.wire.entity import Entity

ALERT = Alert(
    id="alr_1",
    raised_s=1_700_000_000.0,
    updated_s=1_700_000_010.5,
    entity=Entity("default", "payments", "/pay", "production"),
    state="open",
    outcome="pending",
    score=0.91,
    peak_score=0.91,
    threshold=0.8,
    horizon_s=900,
    model_version="m1",
    title="payments /pay will probably fail",
    reasons=("p95 is 3 × usual",),
)


class Receiver(HTTPServer):
    def __init__(self, status: int) -> None:
        self.status = status
        self.bodies: list[bytes] = []
        self.kinds: list[str] = []
        self.paths: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?team=api"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.paths.append(self.path)
        self.server.kinds.append(self.headers["Content-Type"])
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.status)
        self.send_header("Location", self.server.url)
        self.end_headers()
        self.wfile.write(b"no, thank you")

    def log_message(self, *_: object) -> None:
        """Keeps the test's output clean."""


@pytest.fixture
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver]:
    with Receiver(getattr(request, "param", 202)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_alert_arrives_as_a_cloud_event(receiver: Receiver) -> None:
    Webhook(receiver.url, source="urn:foregate:test").notify(ALERT)
    (body,) = receiver.bodies
    event = json.loads(body)
    assert receiver.kinds == ["application/cloudevents+json"]
    assert receiver.paths == ["/hook?team=api"]
    assert event.pop("data")["entity"] == {
        "org": "default",
        "service": "payments",
        "route": "/pay",
        "environment": "production",
    }
    assert event == {
        "specversion": "1.0",
        "id": "alr_1/open/pending/1700000010.500",
        "source": "urn:foregate:test",
        "type": "foregate.alert.raised",
        "subject": "payments /pay",
        "time": "2023-11-14T22:13:30.500000Z",
        "datacontenttype": "application/json",
    }


def test_no_proxy_of_the_environment_is_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    Webhook(receiver.url).notify(ALERT)
    assert len(receiver.bodies) == 1


@pytest.mark.parametrize("receiver", [302, 404, 503], indirect=True)
def test_any_answer_but_2xx_is_a_failure_and_redirects_are_not_followed(receiver: Receiver) -> None:
    with pytest.raises(OSError, match=rf"webhook at 127.0.0.1 answered {receiver.status}: 'no, thank you'"):
        Webhook(receiver.url).notify(ALERT)
    assert len(receiver.bodies) == 1


def test_a_closed_port_is_a_failure() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    with pytest.raises(OSError, match=r"webhook at 127.0.0.1: .*refused"):
        Webhook(url).notify(ALERT)


def test_a_receiver_that_does_not_answer_in_time_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(OSError, match="timed out"):
        Webhook(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=0.05).notify(ALERT)


def test_an_answer_that_is_not_http_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        with pytest.raises(OSError, match="the answer is not HTTP"):
            Webhook(f"http://127.0.0.1:{server.getsockname()[1]}/").notify(ALERT)
        thread.join()


@pytest.mark.parametrize("url", ["", "hook", "ftp://x/", "file:///etc/passwd", "http:///x"])
def test_only_an_absolute_http_url_will_do(url: str) -> None:
    with pytest.raises(ValueError, match="absolute"):
        Webhook(url)
