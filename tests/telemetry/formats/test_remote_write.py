"""Prometheus remote write: every sample of every series, or the reason why not."""

import math
import struct

import pytest
from tests.telemetry.formats.making import T0_NS, samples, took

from foregate.kernel.errors import ForegateError

PROTOBUF = "application/x-protobuf"


def test_labels_say_who_it_was() -> None:
    parsed = took("remote_write", PROTOBUF, samples(50).SerializeToString())
    assert [point.value for point in parsed.points] == list(range(50))
    point = parsed.points[7]
    assert (point.name, point.service, point.instance, point.environment) == ("up", "api", "h7", "production")
    assert (point.kind, point.time_s, point.attributes) == ("gauge", T0_NS / 1e9, {"code": "200"})


def test_names_that_count_are_sums() -> None:
    request = samples(1)
    request.timeseries[0].labels[0].value = "http_requests_total"
    point = took("remote_write", PROTOBUF, request.SerializeToString()).points[0]
    assert (point.kind, point.monotonic, point.delta) == ("sum", True, False)


def test_what_is_no_sample_is_told_and_costs_no_other() -> None:
    request = samples(6)
    request.timeseries[1].samples[0].value = math.inf
    request.timeseries[2].samples[0].timestamp = 2**62
    del request.timeseries[3].labels[0]
    request.timeseries[4].histograms.add()
    request.timeseries.add()
    parsed = took("remote_write", PROTOBUF, request.SerializeToString())
    assert [point.value for point in parsed.points] == [0, 4, 5]
    assert [one.index for one in parsed.rejected] == [1, 2, 3, 5, 7]


def test_nan_is_no_sample_and_no_mistake() -> None:
    request = samples(3)
    request.timeseries[1].samples[0].value = struct.unpack("<d", bytes.fromhex("020000000000f07f"))[0]  # "stale"
    request.timeseries[2].samples[0].value = math.nan  # a quantile of nothing
    parsed = took("remote_write", PROTOBUF, request.SerializeToString())
    assert ([point.value for point in parsed.points], parsed.invalid) == ([0], {})


def test_labels_that_come_once_do_not_become_a_mountain() -> None:
    request = samples(1)
    for number in range(60):
        request.timeseries[0].labels.add(name=f"l{number}", value="v" * 1_000)
    request.timeseries[0].samples.extend([request.timeseries[0].samples[0]] * 20_000)
    with pytest.raises(ForegateError, match="too many labels"):
        took("remote_write", PROTOBUF, request.SerializeToString())


def test_damage_costs_only_its_series_and_a_cut_what_follows() -> None:
    body = samples(50).SerializeToString()
    parsed = took("remote_write", PROTOBUF, body.replace(b"h33", b"\xff\xff\xff"))
    assert [point.value for point in parsed.points] == [value for value in range(50) if value != 33]
    parsed = took("remote_write", PROTOBUF, body[: len(body) // 2])
    assert len(parsed.points) in (24, 25)
    assert parsed.damaged


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        (PROTOBUF, b"<html>", "body_invalid"),
        (PROTOBUF + ";proto=io.prometheus.write.v2.Request", b"", "unsupported_media_type"),
        ("application/json", b"", "unsupported_media_type"),
        (PROTOBUF, (b"\x0a\x06" + b"\x12\x04\x10\x80\x80\x01") * 60_000, "body_too_large"),
    ],
)
def test_what_is_no_write_request_is_refused(kind: str, body: bytes, code: str) -> None:
    with pytest.raises(ForegateError) as raised:
        took("remote_write", kind, body)
    assert raised.value.spec.code == code
    assert took("remote_write", PROTOBUF + "; proto=prometheus.WriteRequest", b"").items == 0
