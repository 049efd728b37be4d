"""The lab's switches through the console, against the real lab."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.control.lab import real_lab
from tests.control.world import Answer, Console, console, world

from foregate.control.lab_client import HttpLabClient

JSON = {"Content-Type": "application/json"}


def start(served: Console, **command: Any) -> Answer:
    return served.ask("/api/v1/lab/faults", "POST", body=json.dumps(command).encode(), headers=JSON)


def test_a_fault_is_switched_on_listed_and_switched_off(tmp_path: Path) -> None:
    with world(tmp_path) as here, real_lab() as lab, console(here.deps(lab=HttpLabClient(lab))) as served:
        kinds = {kind["kind"]: kind for kind in served.get("/lab/faults")["kinds"]}
        assert kinds["memory_leak"]["gradual"]
        assert not kinds["crash"]["foreseeable"]
        assert all(kind["description"] and kind["services"] for kind in kinds.values())
        made = start(served, kind="memory_leak", service="payments", duration_s=60)
        assert made.status == 201
        active = served.get("/lab/faults")["active"]
        assert [fault["id"] for fault in active] == [made.json()["id"]]
        assert active[0]["ends_s"] - active[0]["started_s"] == pytest.approx(60)
        assert active[0]["by"] == "person"
        assert served.get("/status")["has_lab"]
        path = f"/api/v1/lab/faults/{made.json()['id']}"
        assert served.ask(path, "DELETE").status == 204
        assert served.get("/lab/faults")["active"] == []
        again = served.ask(path, "DELETE")
        assert (again.status, again.json()["code"]) == (404, "not_found")


def test_what_the_lab_refuses_is_a_problem_that_says_why(tmp_path: Path) -> None:
    with world(tmp_path) as here, real_lab() as lab, console(here.deps(lab=HttpLabClient(lab))) as served:
        for command, said in (
            ({"kind": "earthquake", "service": "ai"}, "earthquake"),
            ({"kind": "crash", "service": "nobody"}, "nobody"),
            ({"kind": "crash"}, "service"),
            ({"kind": "crash", "service": "ai", "sevrity": 1}, "sevrity"),
            ({"kind": "crash", "service": "ai", "severity": 7}, "severity"),
        ):
            answer = start(served, **command)
            assert (answer.status, answer.json()["code"]) == (400, "invalid_parameter"), command
            assert said in answer.json()["detail"]
        assert served.ask("/api/v1/lab/faults", "POST", body=b"{", headers=JSON).status == 400
        while (answer := start(served, kind="blip", service="ai")).status == 201:
            pass
        assert (answer.status, answer.json()["code"]) == (409, "conflict")


@contextmanager
def saying(payload: bytes) -> Iterator[str]:
    """A socket that answers its first caller with `payload` and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            caller, _ = listener.accept()
            with caller:
                caller.recv(65_536)
                caller.sendall(payload)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(5)


@pytest.mark.parametrize(
    "payload",
    [
        b"not HTTP at all\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot JSON!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"kinds": 1}',
        b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
    ],
)
def test_a_lab_that_answers_nonsense_is_a_502_not_a_crash(tmp_path: Path, payload: bytes) -> None:
    with world(tmp_path) as here, saying(payload) as url, console(here.deps(lab=HttpLabClient(url))) as served:
        assert served.get("/lab/faults", 502)["code"] == "upstream_refused"


def test_a_lab_that_is_down_is_said_and_one_that_is_not_there_is_404(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with world(tmp_path) as here:
        with console(here.deps(lab=HttpLabClient(f"http://127.0.0.1:{port}"))) as served:
            assert served.get("/lab/faults", 502)["code"] == "upstream_refused"
        with console(here.deps()) as served:
            assert served.get("/lab/faults", 404)["code"] == "not_found"
            assert served.ask("/api/v1/lab/faults/x", "DELETE").status == 404
