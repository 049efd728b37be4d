"""GET /tail: what passes the filter, as it comes; who reads slowly is told what was passed over."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace
from tests.control.query_world import QueryWorld, query_world
from tests.control.world import NOW_S, TOKEN, Stream, make_event
from tests.telemetry.making import payload

from foregate.control.api import tail
from foregate.ports.bus import Append
from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import RequestEvent


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[QueryWorld]:
    monkeypatch.setattr(tail, "LOOK_S", 0.02)
    with query_world(tmp_path) as made:
        yield made


def event(number: int, service: str = "ai") -> RequestEvent:
    return replace(make_event(Random(number), service, NOW_S - 10 + number / 1_000, 5.0), request_id=f"{number:032x}")


def opened(stream: Stream) -> Iterator[str]:
    """The lines after the first, which says that the tail has begun."""
    lines = stream.lines()
    assert next(lines).startswith("retry: ")
    return lines


def requests(lines: Iterator[str], count: int) -> tuple[list[str], str, dict[str, str]]:
    """The ids of the next so many requests, the last place, and what else was said."""
    found: list[str] = []
    place, name = "", ""
    said: dict[str, str] = {}
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "id":
            place = value
        elif field == "event":
            name = value
        elif field == "data" and name == "requests":
            found += [one["request_id"] for one in json.loads(value)]
        elif field == "data":
            said[name] = value
        if len(found) >= count and not line:
            break
    return found, place, said


def test_requests_come_as_they_are_and_only_those_that_pass(kept: QueryWorld) -> None:
    kept.here.feed([event(0)])
    with kept.served.stream("/api/v1/tail?filter=service=ai;status=200") as stream:
        lines = opened(stream)
        kept.here.feed([event(1), event(2, "search"), event(3)])
        kept.here.feed([event(4, "search")])
        kept.here.feed([event(5)])
        assert requests(lines, 3)[0] == [event(n).request_id for n in (1, 3, 5)]


def test_who_comes_back_goes_on_where_it_was(kept: QueryWorld) -> None:
    with kept.served.stream("/api/v1/tail") as stream:
        lines = opened(stream)
        kept.here.feed([event(1)])
        _, place, _ = requests(lines, 1)
    kept.here.feed([event(2)])
    kept.here.feed([event(3)])
    with socket.create_connection(("127.0.0.1", kept.served.port), timeout=15) as sock:
        sock.sendall(
            f"GET /api/v1/tail HTTP/1.1\r\nHost: {kept.served.host}\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Last-Event-ID: {place}\r\n\r\n".encode()
        )
        with sock.makefile("rb") as file:
            assert requests(opened(Stream(file)), 2)[0] == [event(2).request_id, event(3).request_id]


def test_a_place_that_is_none_is_refused(kept: QueryWorld) -> None:
    answer = kept.served.ask("/api/v1/tail", headers={"Last-Event-ID": "x:y"})
    assert (answer.status, answer.json()["code"]) == (400, "invalid_parameter")


def test_a_slow_reader_is_told_what_was_passed_over_and_costs_no_memory(kept: QueryWorld) -> None:
    with socket.create_connection(("127.0.0.1", kept.served.port)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.settimeout(15)
        sock.sendall(
            f"GET /api/v1/tail HTTP/1.1\r\nHost: {kept.served.host}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
        )
        with sock.makefile("rb") as file:
            lines = opened(Stream(file))
            many = payload(event(number) for number in range(500))
            batches = [Append(TOPIC_EVENTS, 0, many, 500, "many", number) for number in range(300)]
            kept.here.bus.append_all(batches)  # far more than sockets hold, while nobody reads
            found, _, said = requests(lines, 1)
            while "skipped" not in said:
                more, _, said = requests(lines, 1)
                found += more
            assert len(found) < 500 * 300
            assert '"events":' in said["skipped"]


def test_the_number_of_tails_is_bounded(kept: QueryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "TAILS_MAX", 1)
    with kept.served.stream("/api/v1/tail") as stream:
        opened(stream)
        refused = kept.served.ask("/api/v1/tail")
        assert (refused.status, refused.json()["code"], refused.headers["retry-after"]) == (503, "overloaded", "1")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:  # the place of one that has left is free again
        with kept.served.stream("/api/v1/tail") as stream:
            if stream.status == 200:
                return
    raise AssertionError("no tail could be opened after one had left")


def test_the_end_of_the_console_ends_a_tail(tmp_path: Path) -> None:
    with ExitStack() as stack:
        kept = stack.enter_context(query_world(tmp_path))
        with kept.served.stream("/api/v1/tail") as stream:
            lines = opened(stream)
            stack.close()
            assert "event: closing" in list(lines)
