"""Every format of access logs is read as its product writes it."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.telemetry.formats.logs import FORMATS, Entry, Unreadable, find, guess
from foregate.telemetry.formats.logs.har import entries
from foregate.telemetry.formats.logs.json_lines import JsonLines

TIME = "[10/Oct/2000:13:55:36 -0700]"
AT_S = 971_211_336.0
ENVOY = (
    '[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" '
    '"cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations" "tcp://10.0.2.1:80"'
)
ISTIO = (
    '[2020-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 503 UF,URX via_upstream - "-" 0 135 4 - "-" "curl/7.73.0" '
    '"84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" "10.44.1.27:80" '
    "outbound|8000||httpbin.foo.svc.cluster.local 10.44.1.23:37652 10.0.45.184:8000 10.44.1.23:46520 - default"
)
CLOUDFRONT = (
    "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status "
    "cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol "
    "cs-bytes time-taken\n2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td1.example\t/a%20b.html\t200\t-\tMoz\t-\t"
    "-\tHit\tSOX4\tshop.example\thttps\t23\t0.25"
).splitlines()
KONG = json.dumps(
    {
        "started_at": 1_700_000_000_000,
        "request": {"method": "GET", "uri": "/a?b=1", "size": 75, "headers": {"host": "x"}, "id": "r1"},
        "response": {"status": 200, "size": 434},
        "latencies": {"request": 9, "kong": 1, "proxy": 8},
        "service": {"name": "shop"},
        "route": {"name": "all"},
        "consumer": {"username": "ann"},
        "client_ip": "192.0.2.1",
    }
)


def read(name: str, line: str) -> Entry:
    found = find(name).read(line)
    assert found is not None
    return found


def test_the_common_format_of_apache_is_read() -> None:
    entry = read("combined", f'192.0.2.1 - - {TIME} "GET /a?x=1 HTTP/1.1" 200 2326')
    assert (entry.time_s, entry.method, entry.path, entry.status) == (AT_S, "GET", "/a", 200)
    assert (entry.response_bytes, entry.client, entry.latency_ms) == (2326, "192.0.2.1", -1.0)


@pytest.mark.parametrize(
    ("rest", "latency_ms", "upstream_ms"),
    [
        ('"-" "curl"', -1.0, 0.0),
        ('"-" "curl" 0.123', 123.0, 0.0),
        ('"-" "curl" 0.123 0.100', 123.0, 100.0),
        ('"-" "curl" 12345', 12.345, 0.0),
        ('"-" "curl" rt=0.5 uct="-" urt="0.25, 0.125"', 500.0, 375.0),
        ('"-" "say \\"hi\\" 7" 0.5', 500.0, 0.0),
        ('"-" "curl" "-"', -1.0, 0.0),
    ],
)
def test_durations_are_found_where_people_append_them(rest: str, latency_ms: float, upstream_ms: float) -> None:
    entry = read("combined", f'::1 - ann {TIME} "GET / HTTP/1.1" 200 - {rest}')
    assert entry.latency_ms == pytest.approx(latency_ms)
    assert entry.upstream_ms == pytest.approx(upstream_ms)


def test_a_virtual_host_in_front_is_the_host() -> None:
    assert (
        read("combined", f'shop.example:443 192.0.2.1 - - {TIME} "GET / HTTP/1.1" 200 1 "-" "x"').host == "shop.example"
    )


def test_bytes_that_were_no_request_are_still_a_request_that_was_answered() -> None:
    entry = read("combined", f'192.0.2.1 - - {TIME} "\\x16\\x03\\x01" 400 150 "-" "-"')
    assert (entry.status, entry.method, entry.path) == (400, "", "/")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (  # nginx, as its manual suggests
            {"time_iso8601": "2026-11-21T10:00:00+00:00", "remote_addr": "192.0.2.1", "request": "GET /x?y HTTP/1.1",
             "status": "200", "body_bytes_sent": "12", "request_time": "0.010",
             "upstream_response_time": "0.004, 0.005"},
            (1_795_255_200.0, "GET", "/x", 200, 10.0, 9.0, 12, "192.0.2.1"),
        ),
        (  # Caddy
            {"ts": 1_646_861_401.5, "logger": "http.log.access", "duration": 0.25, "size": 9, "status": 404,
             "request": {"remote_ip": "192.0.2.1", "method": "GET", "host": "h", "uri": "/a?b"}},
            (1_646_861_401.5, "GET", "/a", 404, 250.0, 0.0, 9, "192.0.2.1"),
        ),
        (  # Envoy as JSON
            {"start_time": "2026-11-21T10:00:00Z", "method": "POST", "path": "/a", "response_code": 503, "duration": 12,
             "bytes_sent": 5, "downstream_remote_address": "192.0.2.1", "x_envoy_upstream_service_time": "7"},
            (1_795_255_200.0, "POST", "/a", 503, 12.0, 7.0, 5, "192.0.2.1"),
        ),
        (  # Traefik: nanoseconds
            {"StartUTC": "2026-11-21T10:00:00Z", "RequestMethod": "GET", "RequestPath": "/a?b", "DownstreamStatus": 200,
             "Duration": 3_000_000, "OriginDuration": 2_000_000, "DownstreamContentSize": 1, "ClientHost": "192.0.2.1"},
            (1_795_255_200.0, "GET", "/a", 200, 3.0, 2.0, 1, "192.0.2.1"),
        ),
    ],
)  # fmt: skip
def test_json_logs_of_known_products_are_read(given: dict[str, object], expected: tuple[object, ...]) -> None:
    e = read("json", json.dumps(given))
    found = (e.time_s, e.method, e.path, e.status, e.latency_ms, e.upstream_ms, e.response_bytes, e.client)
    assert found[:5] + found[6:] == expected[:5] + expected[6:]
    assert e.upstream_ms == pytest.approx(expected[5])


def test_own_names_of_json_fields_come_first() -> None:
    line = json.dumps({"when": 1_700_000_000_123, "path": "/", "code": 200, "took": 1.5})
    entry = JsonLines({"time": "when", "status": "code", "latency_s": "took"}).read(line)
    assert entry is not None
    assert (entry.time_s, entry.status, entry.latency_ms) == (1_700_000_000.123, 200, 1500.0)


def test_a_field_that_is_not_ours_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="there is no field wen: known are time"):
        JsonLines({"wen": "x"})


def test_kong_is_read_with_its_names() -> None:
    entry = read("kong", KONG)
    assert entry.time_s == pytest.approx(1_700_000_000.009)
    assert (entry.service, entry.route, entry.key_id, entry.latency_ms, entry.upstream_ms) == (
        "shop",
        "all",
        "ann",
        9,
        8,
    )


def test_envoy_and_istio_are_read() -> None:
    entry = read("envoy", ENVOY)
    assert (entry.method, entry.path, entry.status, entry.latency_ms) == ("POST", "/api/v1/locations", 204, 226.0)
    assert entry.time_s == pytest.approx(1_460_751_420.536)  # its end
    failed = read("envoy", ISTIO)
    assert (failed.service, failed.error, failed.target) == ("httpbin", "upstream_refused", "10.44.1.27:80")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("piece", ["9", "9 ", '"', '" ', "\\", "rt=", "[", "{", "a ", "/", "\t"])
def test_a_long_line_of_anything_takes_no_minutes(name: str, piece: str) -> None:
    head = '[2026-11-22T00:00:00Z] "GET /a HTTP/1.1" 200 - ' if name == "envoy" else ""
    with contextlib.suppress(Unreadable):
        find(name).read(head + piece * (65_000 // len(piece)))


def test_cloudfront_is_read_by_its_heading() -> None:
    form = find("cloudfront")
    assert [form.read(line) for line in CLOUDFRONT[:2]] == [None, None]
    entry = form.read(CLOUDFRONT[2])
    assert entry is not None
    assert (entry.path, entry.host, entry.latency_ms, entry.cache) == ("/a b.html", "shop.example", 250.0, "hit")


def test_a_bad_entry_of_a_har_file_costs_no_good_one() -> None:
    good = {
        "startedDateTime": "2026-11-21T10:00:00Z",
        "time": 20,
        "request": {"method": "GET", "url": "https://shop.example/a?b", "httpVersion": "h2", "bodySize": -1},
        "response": {"status": 200, "bodySize": 10},
    }
    first, bad, last = entries(json.dumps({"log": {"entries": [good, {"time": "x"}, good]}}).encode())
    assert isinstance(bad, Unreadable)
    assert first == last
    assert isinstance(first, Entry)
    assert (first.path, first.host, first.latency_ms) == ("/a", "shop.example", 20.0)
    with pytest.raises(Unreadable, match="not a HAR file"):
        list(entries(b"{}"))


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("combined", [f'192.0.2.1 - - {TIME} "GET / HTTP/1.1" 200 1']),
        ("envoy", [ENVOY, ISTIO]),
        ("kong", [KONG]),
        ("cloudfront", CLOUDFRONT),
        ("json", ['{"time": 1700000000, "path": "/", "status": 200}']),
        (None, ["hello", "world"]),
    ],
)
def test_the_format_is_told_from_the_first_lines(name: str | None, lines: list[str]) -> None:
    assert guess(lines) == name


SAMPLES = [f'h:1 192.0.2.1 - - {TIME} "GET /a HTTP/1.1" 200 1 "-" "x" 0.1 0.2', ENVOY, ISTIO, KONG, CLOUDFRONT[2]]


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_line_is_read_or_refused_with_a_reason_and_nothing_else(data: st.DataObject) -> None:
    line = data.draw(st.sampled_from(SAMPLES))
    at = data.draw(st.integers(0, len(line)))
    mutated = line[:at] + data.draw(st.text(max_size=8)) + line[at + data.draw(st.integers(0, 8)) :]
    for name in FORMATS:
        try:
            entry = find(name).read(mutated)
        except Unreadable:
            continue
        assert entry is None or (100 <= entry.status <= 999 and entry.path[:1] == "/" and entry.latency_ms >= -1.0)
