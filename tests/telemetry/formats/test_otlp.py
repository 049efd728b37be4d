"""OTLP, as protobuf and as JSON: the same items come of both, and damage costs only what is damaged."""

import json
import math
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.telemetry.formats import making
from tests.telemetry.formats.making import NOW_S, SENDER, T0_NS, as_otlp_json, attributes, logs, metrics, took, traces

from foregate.kernel.errors import ForegateError
from foregate.telemetry.formats import Parsed
from foregate.telemetry.formats.options import Options
from foregate.telemetry.formats.reading import read

PROTOBUF, JSON = "application/x-protobuf", "application/json"
REQUESTS: Any = {"traces": traces, "metrics": metrics, "logs": logs}
every_signal = pytest.mark.parametrize("signal", REQUESTS)


def items(parsed: Parsed) -> list[Any]:
    return [*parsed.spans, *parsed.points, *parsed.logs]


def span(change: Any = None, resource: dict[str, str] | None = None) -> Parsed:
    """What becomes of one span that `change` has changed."""
    request = traces(2)
    del request.resource_spans[1]
    if resource is not None:
        del request.resource_spans[0].resource.attributes[:]
        attributes(request.resource_spans[0].resource, resource)
    if change:
        change(request.resource_spans[0].scope_spans[0].spans[0])
    parsed = took("traces", PROTOBUF, request.SerializeToString())
    as_json = took("traces", JSON, as_otlp_json(request))
    assert (as_json.spans, as_json.events, as_json.rejected) == (parsed.spans, parsed.events, parsed.rejected)
    return parsed


@every_signal
def test_json_and_protobuf_say_the_same(signal: Any) -> None:
    request = REQUESTS[signal](50)
    parsed = took(signal, PROTOBUF, request.SerializeToString())
    assert len(items(parsed)) == 50
    for snake in (False, True):
        as_json = took(signal, JSON, as_otlp_json(request, snake=snake))
        assert items(as_json) == items(parsed)
        assert as_json.events == parsed.events


def test_a_span_of_a_server_is_a_request_too() -> None:
    parsed = took("traces", PROTOBUF, traces(50).SerializeToString())
    assert [event.span_id for event in parsed.events] == [one.span_id for one in parsed.spans if one.kind == "server"]
    event, one = parsed.events[0], parsed.spans[0]
    assert (event.service, event.route, event.method, event.status) == ("shop/payments", "/users/{id}", "GET", 200)
    assert (event.environment, event.region, event.cloud, event.instance) == ("staging", "us-2", "aws", "h0")
    assert (event.time_s, event.latency_ms, event.source) == ((T0_NS + 12_500_000) / 1e9, 12.5, "otlp")
    assert (event.trace_id, event.host, event.path) == (one.trace_id, "api", "/users/0")
    assert one.attributes["service.version"] == "1.2"
    assert parsed.spans[1].peer == "api"
    nothing = read(
        "traces", PROTOBUF, traces(50).SerializeToString(), SENDER, options=Options(requests_from_spans=False)
    )
    assert (len(nothing.spans), nothing.events) == (50, [])


def test_names_of_before_mean_the_same() -> None:
    def old(span: Any) -> None:
        del span.attributes[:]
        attributes(span, {"http.method": "POST", "http.status_code": 503, "http.target": "/pay/42?x=1"})
        attributes(span, {"net.host.name": "old", "http.client_ip": "10.0.0.1"})

    parsed = span(old, {"service.name": "s", "deployment.environment": "qa", "k8s.pod.name": "pod-1"})
    event = parsed.events[0]
    assert (event.method, event.status, event.route, event.path) == ("POST", 503, "/pay/{id}", "/pay/42")
    assert (event.host, event.client, event.environment, event.instance) == ("old", "10.0.0.1", "qa", "pod-1")
    assert parsed.spans[0].failed


def test_rpc_is_a_request_with_the_status_beside_it() -> None:
    def rpc(span: Any) -> None:
        del span.attributes[:]
        attributes(span, {"rpc.system": "grpc", "rpc.service": "shop.Pay", "rpc.method": "Charge"})
        attributes(span, {"rpc.grpc.status_code": 14})

    event = span(rpc).events[0]
    assert (event.route, event.status, event.protocol) == ("/shop.Pay/Charge", 503, "grpc")


def test_an_exception_is_the_message_and_links_are_kept() -> None:
    def fail(span: Any) -> None:
        span.status.code = 2
        attributes(span.events.add(name="exception"), {"exception.type": "KeyError", "exception.message": "x"})
        span.links.add(trace_id=bytes([7] * 16))

    one = span(fail).spans[0]
    assert (one.status, one.message, one.links) == ("error", "KeyError: x", ("07" * 16,))


def test_values_that_are_no_text_are_written_as_json() -> None:
    def values(span: Any) -> None:
        attributes(span, {"yes": True, "n": -5, "f": 1.5, "inf": math.inf})
        pair = span.attributes.add(key="list")
        pair.value.array_value.values.add(int_value=5)
        inner = pair.value.array_value.values.add().kvlist_value.values.add(key="k")
        inner.value.string_value = "v"

    said = span(values).spans[0].attributes
    assert (said["yes"], said["n"], said["f"], said["inf"]) == ("true", "-5", "1.5", "inf")
    assert json.loads(said["list"]) == [5, {"k": "v"}]


def test_attributes_are_bounded() -> None:
    def many(span: Any) -> None:
        attributes(span, {f"{'k' * 200}{number}": "v" * 5_000 for number in range(3)})
        attributes(span, {f"a{number}": "x\0" for number in range(1_000)})

    said = span(many).spans[0].attributes
    assert len(said) <= 65  # and the one that the resource adds
    assert max(len(name) for name in said) == 128
    assert max(len(value) for value in said.values()) == 1_024
    assert not any("\0" in value for value in said.values())


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("trace_id", b"", "trace id"),
        ("trace_id", bytes(16), "trace id"),
        ("trace_id", b"short", "trace id"),
        ("span_id", bytes(8), "span id"),
        ("start_time_unix_nano", 0, "2000"),
        ("start_time_unix_nano", 2**63 - 1, "ahead"),
    ],
)
def test_a_span_that_cannot_be_is_told(field: str, value: Any, told: str) -> None:
    parsed = span(lambda one: setattr(one, field, value))
    assert parsed.spans == []
    assert told in parsed.rejected[0].reason


def test_an_end_before_the_start_is_corrected_and_marked() -> None:
    one = span(lambda one: setattr(one, "end_time_unix_nano", 5)).spans[0]
    assert one.end_ns == one.start_ns
    assert "foregate.clock" in one.attributes


@every_signal
def test_whatever_is_whole_before_a_cut_is_taken(signal: Any) -> None:
    body = REQUESTS[signal](100).SerializeToString()
    whole = items(took(signal, PROTOBUF, body))
    for share in (0.1, 0.45, 0.55, 0.9):
        parsed = took(signal, PROTOBUF, body[: int(len(body) * share)])
        found = items(parsed)
        assert found == whole[: len(found)]
        assert abs(len(found) - 100 * share) < 9  # the resource before them has its bytes, too
        assert parsed.damaged
        assert sum(parsed.invalid.values()) == 1


@every_signal
def test_damage_inside_an_item_costs_no_other(signal: Any) -> None:
    request = REQUESTS[signal](100)
    whole = items(took(signal, PROTOBUF, request.SerializeToString()))
    body = request.SerializeToString()
    needle = {"traces": b"/users/77", "metrics": b"m77", "logs": b"line 77"}[signal]
    damaged = body.replace(needle, b"\xff" * len(needle))  # no UTF-8
    parsed = took(signal, PROTOBUF, damaged)
    assert items(parsed) == [one for at, one in enumerate(whole) if at != 77]
    assert [one.index for one in parsed.rejected] == [77]


@every_signal
def test_a_bad_item_of_json_costs_no_other(signal: Any) -> None:
    request = REQUESTS[signal](100)
    whole = items(took(signal, PROTOBUF, request.SerializeToString()))
    document = json.loads(as_otlp_json(request))
    resource = next(iter(document.values()))[0]
    scope = next(value for name, value in resource.items() if name != "resource")[0]
    listed = next(value for name, value in scope.items() if isinstance(value, list))
    listed[7] = {"attributes": 7, "name": 7}
    parsed = took(signal, JSON, json.dumps(document).encode())
    assert items(parsed) == [one for at, one in enumerate(whole) if at != 7]
    assert [one.index for one in parsed.rejected] == [7]


@every_signal
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
@pytest.mark.parametrize("body", [b"\x0a\xff", b"<html>", b"\x07" * 50, b"[" * 100_000, b'{"resourceSpans"'])
def test_what_is_no_request_is_refused(signal: Any, kind: str, body: bytes) -> None:
    with pytest.raises(ForegateError) as raised:
        took(signal, kind, body)
    assert raised.value.spec.code == "body_invalid"


def test_a_request_without_items_is_fine() -> None:
    assert took("traces", PROTOBUF, b"").items == 0
    assert took("logs", JSON, b"{}").items == 0


def test_nested_values_end_somewhere() -> None:
    request = traces(2)
    value = request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="deep").value
    for _ in range(30):
        value = value.array_value.values.add()
    value.string_value = "bottom"
    parsed = took("traces", PROTOBUF, request.SerializeToString())
    assert "…" in parsed.spans[0].attributes["deep"]
    assert took("traces", JSON, as_otlp_json(request)).spans == parsed.spans


@pytest.mark.parametrize("level", [0, 1, 2], ids=["resources", "scopes", "items"])
def test_empty_messages_without_number_are_refused_before_they_cost_memory(level: int) -> None:
    body = b"\x12\x00" * 2_000_000 if level else b"\x0a\x00" * 2_000_000
    for wrapped in range(level):
        tag = b"\x0a" if wrapped == level - 1 else b"\x12"
        body = tag + _varint(len(body)) + body
    unknown = b"\x18\x00" * 2_000_000
    if level == 0:
        assert ExportTraceServiceRequest.FromString(body[:20]).resource_spans
    for hostile in (body, unknown):
        with pytest.raises(ForegateError) as raised:
            took("traces", PROTOBUF, hostile)
        assert raised.value.spec.code == "body_too_large"


@every_signal
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_a_request_of_too_many_items_is_refused(signal: Any, kind: str) -> None:
    request = REQUESTS[signal](21)
    body = request.SerializeToString() if kind == PROTOBUF else as_otlp_json(request)
    assert len(items(took(signal, kind, body, Options(items_max=21)))) == 21
    with pytest.raises(ForegateError) as raised:
        took(signal, kind, body, Options(items_max=20))
    assert raised.value.spec.code == "body_too_large"


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def test_points_of_all_kinds() -> None:
    request = metrics(0)
    scope = request.resource_metrics[0].scope_metrics[0]
    total = scope.metrics.add(name="total")
    total.sum.is_monotonic, total.sum.aggregation_temporality = True, 1
    total.sum.data_points.add(time_unix_nano=T0_NS, start_time_unix_nano=T0_NS - 10**9, as_int=7)
    histogram = scope.metrics.add(name="histogram").histogram
    histogram.data_points.add(time_unix_nano=T0_NS, count=6, sum=9.5, bucket_counts=[1, 2, 3], explicit_bounds=[1, 2.5])
    histogram.data_points.add(time_unix_nano=T0_NS, count=6, bucket_counts=[1], explicit_bounds=[1, 2])
    exponential = scope.metrics.add(name="exponential").exponential_histogram.data_points.add(
        time_unix_nano=T0_NS, count=7, sum=1, scale=0, zero_count=1, zero_threshold=0.5
    )
    exponential.positive.offset = 0
    exponential.positive.bucket_counts.extend([2, 3])  # (1, 2], (2, 4]
    exponential.negative.bucket_counts.extend([1])  # [-2, -1)
    summary = scope.metrics.add(name="summary").summary.data_points.add(time_unix_nano=T0_NS, count=4, sum=8)
    summary.quantile_values.add(quantile=0.5, value=2)
    gauge = scope.metrics.add(name="gauge").gauge
    gauge.data_points.add(time_unix_nano=T0_NS, as_double=math.nan)
    gauge.data_points.add(time_unix_nano=T0_NS, flags=1)
    parsed = took("metrics", PROTOBUF, request.SerializeToString())
    by_name = {point.name: point for point in parsed.points}
    one = by_name["total"]
    assert (one.kind, one.value, one.monotonic, one.delta, one.start_s) == ("sum", 7, True, True, T0_NS / 1e9 - 1)
    one = by_name["histogram"]
    assert (one.kind, one.value, one.count, one.bounds, one.buckets) == ("histogram", 9.5, 6, (1, 2.5), (1, 2, 3))
    one = by_name["exponential"]
    assert (one.bounds, one.buckets) == ((-1, 1, 2, 4), (1, 1, 2, 3, 0))
    one = by_name["summary"]
    assert (one.value, one.count, one.bounds, one.values) == (8, 4, (0.5,), (2,))
    assert [(one.index, one.reason) for one in parsed.rejected] == [
        (2, "It must have one more of bucket counts than of bounds."),
        (5, "Its value is no finite number."),
        (6, "It says that it has no value."),
    ]
    assert took("metrics", JSON, as_otlp_json(request)).points == parsed.points


def test_records_have_severities_and_belong_to_requests() -> None:
    request = logs(3)
    records = request.resource_logs[0].scope_logs[0].log_records
    records[0].severity_number, records[0].severity_text = 0, "Error"
    attributes(records[0], {"http.request.header.x-request-id": "r-1"})
    records[0].trace_id, records[0].span_id = bytes([1] * 16), bytes([2] * 8)
    records[1].time_unix_nano, records[1].observed_time_unix_nano = 0, T0_NS
    records[1].body.kvlist_value.values.add(key="event").value.string_value = "paid"
    records[2].time_unix_nano = 5
    parsed = took("logs", PROTOBUF, request.SerializeToString())
    first, second = parsed.logs
    assert (first.severity, first.request_id, first.trace_id) == (17, "r-1", "01" * 16)
    assert (second.time_ns, second.body, second.service) == (T0_NS, '{"event":"paid"}', "shop/payments")
    assert parsed.rejected[0].index == 2
    assert took("logs", JSON, as_otlp_json(request)).logs == parsed.logs


def test_numbers_of_json_have_the_size_that_protobuf_gives_them() -> None:
    body = as_otlp_json(metrics(3)).replace(b'"asDouble": 1.5', b'"asInt": "%d"' % 10**400)
    parsed = took("metrics", JSON, body)
    assert [point.name for point in parsed.points] == ["m0", "m2"]
    assert [one.index for one in parsed.rejected] == [1]


def test_enums_of_json_may_be_names() -> None:
    document = json.loads(as_otlp_json(traces(2)))
    assert "SPAN_KIND_SERVER" in json.dumps(document)
    numbered = json.loads(json.dumps(document).replace('"SPAN_KIND_SERVER"', "2").replace('"SPAN_KIND_CLIENT"', "3"))
    parsed = [took("traces", JSON, json.dumps(one).encode()).spans for one in (document, numbered)]
    assert parsed[0] == parsed[1]
    assert {one.kind for one in parsed[0]} == {"server", "client"}


def test_what_the_resource_does_not_say_the_sender_does() -> None:
    one = span(None, {"service.name": "s"}).spans[0]
    assert (one.service, one.environment, one.region, one.cloud) == ("s", "production", "eu-1", "aws")
    assert span(None, {}).spans[0].service == "unknown_service"
    assert making.SENDER.received_s == NOW_S


def test_what_a_resource_says_of_all_its_items_is_short() -> None:
    request = logs(1)
    attributes(request.resource_logs[0].resource, {"service.version": "v" * 1_000})
    (record,) = took("logs", PROTOBUF, request.SerializeToString()).logs
    assert record.attributes["service.version"] == "v" * 128
