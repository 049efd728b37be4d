"""A configuration tried against recorded traffic says which requests would fare otherwise, and how."""

import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.app.cli import app
from foregate.app.cli import config as _config
from foregate.app.cli import replay as _replay
from foregate.app.config import load
from foregate.app.config.verify import verified
from foregate.app.replay import BadRecording, Report, from_bus, from_har, replay
from foregate.kernel.clock import SystemClock
from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import RequestEvent
from foregate.wire.snapshot import Snapshot

assert _replay
CONFIG = """
services: {{a: {{targets: ["http://127.0.0.1:9"]}}, b: {{targets: ["http://127.0.0.1:9"]}}}}
routes:
{routes}
keys: [{{name: demo, hash: "hmac-sha256:{digits}"}}]
"""
OPEN = "  - {path: /a, service: a, auth: none}"
NOW_S = SystemClock.now()


def event(
    at_s: float, path: str, status: int = 200, error: str = "", *, route: str = "/a", service: str = "a", key: str = ""
) -> RequestEvent:
    attempts = 0 if error else 1
    many = (5.0, 1.0, 0, 10, key, "production", f"id{at_s}", "", "", attempts, "none", "closed", "none", error, "", 1)
    more = (5.0, "", "10.0.0.1", path, "http/1.1", None, "api.example")
    return RequestEvent(NOW_S + at_s, "org", service, route, "GET", status, *many, *more)  # type: ignore[arg-type]


def compiled(tmp_path: Path, routes: str) -> Snapshot:
    file = tmp_path / "new.yaml"
    file.write_text(CONFIG.format(routes=routes, digits="0" * 64))
    return verified(load(file, {}), b"pepper")


def bus_with(tmp_path: Path, events: list[RequestEvent]) -> EmbeddedBus:
    bus = EmbeddedBus(tmp_path / "bus.sqlite", SystemClock())
    for number, each in enumerate(events):
        payload = msgspec.msgpack.encode([each])
        bus.append(TOPIC_EVENTS, number % bus.partitions, payload, 1, producer="p", sequence=number + 1)
    return bus


def tried(tmp_path: Path, routes: str, events: list[RequestEvent]) -> Report:
    bus = bus_with(tmp_path, events)
    folder = tmp_path / "counted"
    folder.mkdir()
    found = from_bus(bus, NOW_S - 3_600, 10_000)
    bus.close()
    return replay(compiled(tmp_path, routes), found, folder)


def said(report: Report) -> list[tuple[str, str, str, int]]:
    return [(change.kind, change.before, change.after, change.requests) for change in report.changes]


def test_what_stays_the_same_is_counted_and_not_told(tmp_path: Path) -> None:
    report = tried(tmp_path, OPEN, [event(-1.0 * n, "/a/x") for n in range(20)])
    assert (report.requests, report.same, report.changes) == (20, 20, [])
    assert report.until_s - report.from_s == pytest.approx(19.0)


@pytest.mark.parametrize(
    ("routes", "recorded", "change"),
    [
        (
            "  - {path: /b, service: a, auth: none}",
            event(-1, "/a"),
            ("refused", "200 of a", "404 route_not_found (no route)"),
        ),
        ("  - {path: /a, service: b, auth: none}", event(-1, "/a"), ("service", "a (/a)", "b (/a)")),
        (f"{OPEN}\n  - {{name: x, path: /a/x, service: a, auth: none}}", event(-1, "/a/x"), ("route", "/a", "x")),
        ("  - {path: /a, service: a}", event(-1, "/a"), ("refused", "200 of a", "401 key_missing (/a)")),
        ("  - {path: /a, service: a}", event(-1, "/a", key="gone"), ("refused", "200 of a", "401 key_invalid (/a)")),
        ("  - {path: /a, service: a}", event(-1, "/a", key="demo"), None),
        (OPEN, event(-1, "/a", 401, "key_missing"), ("admitted", "key_missing", "sent on to a (/a)")),
        ("  - {path: /a, service: a}", event(-1, "/a", 401, "key_invalid"), None),
        (
            "  - {path: /a, service: a, auth: none, policies: {ip_filter: {deny: [10.0.0.0/8]}}}",
            event(-1, "/a"),
            ("refused", "200 of a", "403 forbidden (/a)"),
        ),
        (
            "  - {path: /a, redirect: {to: 'https://new'}, auth: none}",
            event(-1, "/a"),
            ("answered", "200 (/a)", "308 (/a)"),
        ),
        (OPEN, event(-1, "/a", 504, "upstream_timeout"), None),
    ],
)
def test_each_way_to_fare_otherwise_is_told(
    tmp_path: Path, routes: str, recorded: RequestEvent, change: tuple[str, str, str] | None
) -> None:
    report = tried(tmp_path, routes, [recorded])
    assert said(report) == ([] if change is None else [(*change, 1)])


def test_limits_count_in_the_time_of_the_recording(tmp_path: Path) -> None:
    limited = "  - {path: /a, service: a, auth: none, policies: {rate_limits: [{rate: 1/s, burst: 2, by: ip}]}}"
    fast = [event(-100 + 0.1 * n, "/a") for n in range(20)]
    slow = [event(-50 + 2.0 * n, "/a") for n in range(20)]
    (change,) = tried(tmp_path, limited, fast + slow).changes
    assert (change.kind, change.after) == ("refused", "429 rate_limited (/a)")
    assert change.requests == 17  # of 20 in two seconds: two at once, one more as time goes on
    assert change.consumers == 1


def test_requests_at_the_same_time_end_when_they_ended(tmp_path: Path) -> None:
    routes = (
        "  - {path: /a, service: a, auth: none, policies: {rate_limits: [{algorithm: concurrency, max: 1, by: ip}]}}"
    )
    one_after_another = [event(-50 + 0.01 * n, "/a") for n in range(20)]  # of five milliseconds each
    assert tried(tmp_path, routes, one_after_another).changes == []


def test_a_har_file_is_taken_with_its_headers(tmp_path: Path) -> None:
    entry = {
        "startedDateTime": "2026-11-20T10:00:00.000Z",
        "time": 12.5,
        "request": {
            "method": "GET",
            "url": "https://api.example/b?x=1",
            "headers": [{"name": "X-Beta", "value": "1"}, {"name": ":method", "value": "GET"}],
            "bodySize": -1,
        },
        "response": {"status": 200},
    }
    file = tmp_path / "some.har"
    file.write_text(
        json.dumps({"log": {"entries": [entry, {**entry, "request": {**entry["request"], "headers": []}}]}})
    )
    found = from_har(file)
    assert (found[0].host, found[0].path, found[0].query, found[0].headers) == (
        "api.example",
        "/b",
        "x=1",
        [(b"x-beta", b"1")],
    )
    routes = "  - {path: /b, service: a, auth: none, headers: [{name: x-beta, value: '1'}]}"
    folder = tmp_path / "counted"
    folder.mkdir()
    report = replay(compiled(tmp_path, routes), found, folder)
    assert said(report) == [("refused", "200 of its service", "404 route_not_found (no route)", 1)]


def test_addresses_as_people_read_them_are_replayed_as_they_are_sent(tmp_path: Path) -> None:
    request = {"method": "GET", "url": "https://api.example/größe/%2F?q=中", "headers": []}
    entry = {"startedDateTime": "2026-11-20T10:00:00.000Z", "request": request, "response": {"status": 200}}
    file = tmp_path / "some.har"
    file.write_text(json.dumps({"log": {"entries": [entry]}}))
    found = from_har(file)
    assert (found[0].path, found[0].query) == ("/gr%C3%B6%C3%9Fe/%2F", "q=%E4%B8%AD")
    folder = tmp_path / "counted"
    folder.mkdir()
    report = replay(compiled(tmp_path, "  - {path: /, service: a, auth: none}"), found, folder)
    assert report.requests == 1


NO_METHOD = """
{"startedDateTime": "2026-11-20", "response": {"status": 200}, "request": {"method": 5, "url": "/", "headers": []}}
"""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"log": {"entries": [{}]}}',
        '{"log": {"entries": 5}}',
        "[1]",
        f'{{"log": {{"entries": [{NO_METHOD}]}}}}',
    ],
)
def test_what_is_no_recording_is_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.har"
    file.write_text(text)
    with pytest.raises(BadRecording, match="HAR file"):
        from_har(file)


def test_the_command_tells_and_exits_with_one_when_something_changes(tmp_path: Path) -> None:
    bus_with(tmp_path, [event(-5, "/a"), event(-4, "/a")]).close()
    new = tmp_path / "new.yaml"
    new.write_text(CONFIG.format(routes="  - {path: /a, service: b, auth: none}", digits="0" * 64))
    app.add_typer(_config.app, name="config")
    run = CliRunner().invoke
    found = run(app, ["config", "replay", str(new), "--data-dir", str(tmp_path)])
    assert found.exit_code == 1, found.output
    assert "2 service: a (/a) → b (/a)" in found.output
    asked = ["config", "replay", str(new), "--data-dir", str(tmp_path), "-o", "json"]
    assert json.loads(run(app, asked).output)["requests"] == 2
    assert run(app, [*asked, "--since", "soon"]).exit_code == 2
    assert run(app, ["config", "replay", str(new), "--data-dir", str(tmp_path / "none")]).exit_code == 2
