"""The lab's switches through the console, against a real HTTP endpoint that speaks as the lab does."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from tests.control.world import console, world

from foregate.control.lab_client import HttpLabClient

KINDS = [
    {
        "kind": kind,
        "title": title,
        "description": f"What {title.lower()} does.",
        "gradual": gradual,
        "foreseeable": gradual,
        "benign": False,
        "services": ["payments", "ai"],
    }
    for kind, title, gradual in (("memory_leak", "Memory leak", True), ("crash", "Crash", False))
]


class LabDouble:
    """Its state; `url` is where it listens."""

    def __init__(self) -> None:
        self.active: dict[str, dict[str, Any]] = {}
        self.url = ""

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if method == "GET":
            return 200, {"kinds": KINDS, "active": list(self.active.values()), "scheduled": []}
        if method == "POST":
            if body["kind"] not in {kind["kind"] for kind in KINDS}:
                return 400, {"title": "bad", "detail": f"{body['kind']} is not a kind of fault"}
            fault = {"id": f"flt_{len(self.active)}", "started_s": 1.0, "ends_s": None, "origin": "person", **body}
            self.active[fault["id"]] = fault
            return 201, fault
        if self.active.pop(path.rpartition("/")[2], None) is None:
            return 404, {"title": "No such fault."}
        return 204, {}


@contextmanager
def lab_double() -> Iterator[LabDouble]:
    double = LabDouble()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            status, answer = double.answer(self.command, self.path, json.loads(self.rfile.read(length) or b"{}"))
            payload = b"" if status == 204 else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - the names http.server asks for

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    double.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_fault_is_switched_on_listed_and_switched_off(tmp_path: Path) -> None:
    with world(tmp_path) as here, lab_double() as lab, console(here.deps(lab=HttpLabClient(lab.url))) as served:
        command = json.dumps({"kind": "memory_leak", "service": "payments", "duration_s": 60}).encode()
        made = served.ask("/api/v1/lab/faults", "POST", body=command, headers={"Content-Type": "application/json"})
        assert made.status == 201
        fault_id = made.json()["id"]
        assert [fault["id"] for fault in served.get("/lab/faults")["active"]] == [fault_id]
        assert lab.active[fault_id]["duration_s"] == 60
        assert served.get("/status")["has_lab"]
        assert served.ask(f"/api/v1/lab/faults/{fault_id}", "DELETE").status == 204
        again = served.ask(f"/api/v1/lab/faults/{fault_id}", "DELETE")
        assert (again.status, again.json()["code"]) == (404, "not_found")


def test_what_the_lab_refuses_is_a_problem_with_its_own_words(tmp_path: Path) -> None:
    with world(tmp_path) as here, lab_double() as lab, console(here.deps(lab=HttpLabClient(lab.url))) as served:
        for body, said in (
            ({"kind": "earthquake", "service": "ai"}, "earthquake is not a kind of fault"),
            ({"kind": "crash"}, "service"),
            ({"kind": "crash", "service": "ai", "sevrity": 1}, "sevrity"),
            ({"kind": "crash", "service": "ai", "severity": 7}, "severity"),
        ):
            answer = served.ask(
                "/api/v1/lab/faults",
                "POST",
                body=json.dumps(body).encode(),
                headers={"Content-Type": "application/json"},
            )
            assert (answer.status, answer.json()["code"]) == (400, "invalid_parameter"), body
            assert said in answer.json()["detail"]
        broken = served.ask("/api/v1/lab/faults", "POST", body=b"{", headers={"Content-Type": "application/json"})
        assert broken.status == 400


def test_a_lab_that_is_down_is_said_and_one_that_is_not_there_is_404(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with world(tmp_path) as here:
        with console(here.deps(lab=HttpLabClient(f"http://127.0.0.1:{port}"))) as served:
            assert served.get("/lab/faults", 502)["code"] == "upstream_refused"
        with console(here.deps()) as served:
            assert served.get("/lab/faults", 404)["code"] == "not_found"
            assert served.ask("/api/v1/lab/faults/x", "DELETE").status == 404
