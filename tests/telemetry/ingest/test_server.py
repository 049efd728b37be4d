"""Posts of request events: who may send them, what is stored of them, and what their senders are told."""

import asyncio
import gzip
from pathlib import Path

import cramjam
import msgspec
import pytest
from tests.telemetry.ingest.world import SECRET, item, key, run, services, world

from foregate.telemetry.ingest import read_counts
from foregate.telemetry.ingest.counts import Taken, read_key
from foregate.wire import TOPIC_EVENTS, TOPIC_HISTORY, TOPIC_POINTS, TOPIC_SPANS
from foregate.wire.ingest import IngestKey
from foregate.wire.point import decode_points
from foregate.wire.span import decode_spans


def test_an_acknowledged_post_is_on_the_bus_with_what_the_key_says_of_its_sender(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            answer = await running.post([item(service="orders"), item(service="users", environment="test")])
            assert answer.status == 200
            assert answer.json == {"accepted": 2, "duplicates": 0, "invalid": 0, "errors": []}
            orders, users = sorted(running.stored(), key=lambda event: event.service)
            assert (orders.org, orders.environment, orders.region, orders.cloud) == ("acme", "staging", "eu", "aws")
            assert (users.org, users.environment, users.source) == ("acme", "test", "telemetry")

    run(main)


@pytest.mark.parametrize(
    ("kind", "encoding", "encode"),
    [
        ("application/json", "gzip", lambda items: gzip.compress(msgspec.json.encode(items))),
        ("application/json", "zstd", lambda items: bytes(cramjam.zstd.compress(msgspec.json.encode(items)))),
        ("application/x-ndjson", "identity", lambda items: b"\n".join(map(msgspec.json.encode, items))),
        ("application/msgpack", "identity", msgspec.msgpack.encode),
    ],
)
def test_bodies_come_in_several_forms(tmp_path: Path, kind: str, encoding: str, encode) -> None:  # type: ignore[no-untyped-def]
    async def main() -> None:
        async with world(tmp_path) as running:
            body = encode([item(service=f"s{at}") for at in range(3)])
            answer = await running.post(body, kind=kind, content_encoding=encoding)
            assert answer.json["accepted"] == 3
            assert services(running.stored()) == ["s0", "s1", "s2"]

    run(main)


def test_of_a_post_with_bad_items_the_good_ones_are_stored_and_the_bad_ones_named(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            answer = await running.post([item(service="a"), item(status=99), {"nothing": 1}, item(service="b")])
            assert answer.status == 200
            assert (answer.json["accepted"], answer.json["invalid"]) == (2, 2)
            assert [error["index"] for error in answer.json["errors"]] == [1, 2]
            assert services(running.stored()) == ["a", "b"]
            assert read_counts(running.blocks)["events"] == Taken(4, 0, 2, 0)

    run(main)


def test_a_post_without_one_valid_item_is_refused_with_the_reasons(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            answer = await running.post([{"x": 1}])
            assert (answer.status, answer.json["code"], answer.json["invalid"]) == (422, "body_invalid", 1)
            assert (await running.post([])).json["accepted"] == 0
            assert (await running.post(b"{")).status == 422
            assert (await running.post(b"x", kind="text/plain")).status == 415
            assert running.stored() == []

    run(main)


def test_a_post_that_came_damaged_does_not_make_the_whole_one_a_duplicate(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            whole = msgspec.json.encode([item(service="a"), item(service="b")])
            cut = await running.post(whole[:-10], idempotency_key="1")
            assert (cut.status, cut.json["accepted"]) == (200, 1)
            again = await running.post(whole, idempotency_key="1")
            assert again.json["accepted"] == 2
            assert services(running.stored()) == ["a", "a", "b"]

    run(main)


def test_a_post_that_is_sent_again_under_its_id_is_stored_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            items = [item(service="a"), item(service="b")]
            first = await running.post(items, idempotency_key="batch 1")
            again = await running.post(items, idempotency_key="batch 1")
            other_name = await running.post(items, x_batch_id="batch 1")
            in_body = await running.post({"batch_id": "batch 2", "events": items})
            in_body_again = await running.post({"batch_id": "batch 2", "events": items})
            accepted = [one.json["accepted"] for one in (first, again, other_name, in_body, in_body_again)]
            assert accepted == [2, 0, 0, 2, 0]
            assert again.json["duplicates"] == 2
            assert len(running.stored()) == 4
            assert read_counts(running.blocks)["events"] == Taken(10, 6, 0, 0)
            assert (await running.post(items, idempotency_key="x" * 300)).status == 400

    run(main)


def test_ids_of_different_keys_and_of_different_addresses_are_different(tmp_path: Path) -> None:
    other = "fg_test_abcdefghij0123456789"

    async def main() -> None:
        second = key(id="second", hash=hash_of(other), org="umbrella")
        async with world(tmp_path, key(), second) as running:
            assert (await running.post([item()], idempotency_key="1")).json["accepted"] == 1
            assert (await running.post([item()], idempotency_key="1", secret=other)).json["accepted"] == 1
            assert sorted(event.org for event in running.stored()) == ["acme", "umbrella"]

    run(main)


def hash_of(secret: str) -> str:
    from tests.telemetry.ingest.world import PEPPER

    from foregate.kernel.secrets import hash_key

    return hash_key(secret, PEPPER)


def test_events_of_the_past_go_where_nothing_is_late(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            answer = await running.post([item(time=1_600_000_000)], "/v1/telemetry?history=true")
            assert answer.json["accepted"] == 1
            assert running.stored(TOPIC_EVENTS) == []
            assert len(running.stored(TOPIC_HISTORY)) == 1

    run(main)


def test_nobody_sends_without_a_key_in_force(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            assert (await running.post([item()], secret="")).json["code"] == "key_missing"
            assert (await running.post([item()], secret="fg_wrong_0123456789")).json["code"] == "key_invalid"
            bearer = await running.post([item()], secret="", authorization=f"Bearer {SECRET}")
            assert bearer.status == 200
            running.server.apply([])
            assert (await running.post([item()])).status == 401
            running.server.apply([key(org="other")])
            assert (await running.post([item()])).status == 200
            assert sorted(event.org for event in running.stored()) == ["acme", "other"]

    run(main)


def test_what_is_not_telemetry_is_told_so(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            assert (await running.ask("GET", "/v1/telemetry")).status == 405
            assert (await running.ask("POST", "/metrics")).headers["allow"] == "GET, HEAD"
            assert (await running.ask("GET", "/")).json["code"] == "not_found"
            assert (await running.ask("GET", "/health/live")).status == 200
            while (await running.ask("GET", "/health/ready")).status != 200:
                await asyncio.sleep(0.01)
            grpc = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
            assert (await running.post([], grpc)).status == 415

    run(main)


def test_metrics_count_what_came(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            await running.post([item(), {"bad": 1}])
            await running.post([item()], secret="wrong")
            page = (await running.ask("GET", "/metrics")).body.decode()
            assert 'foregate_ingest_items_total{kind="events",outcome="received"} 2' in page
            assert 'foregate_ingest_items_total{kind="events",outcome="invalid"} 1' in page
            assert 'foregate_ingest_refused_total{code="key_invalid"} 1' in page
            assert "foregate_ingest_flush_seconds_count 1" in page
            assert "foregate_ingest_waiting_items 0" in page
            assert "foregate_ingest_held_bytes 0" in page
            use = read_key(running.blocks, "sender")
            assert (use.items, use.refused_posts, use.seen_s > 1e9) == (1, 0, True)

    run(main)


def test_posts_that_come_together_share_batches_on_the_bus(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as running:
            answers = await asyncio.gather(*(running.post([item()]) for _ in range(64)))
            assert {answer.status for answer in answers} == {200}
            assert sum(running.batches()) == 64
            assert len(running.batches()) < 40
            assert (await running.post([item() for _ in range(1_234)])).json["accepted"] == 1_234
            assert sorted(running.batches(), reverse=True)[:3] == [500, 500, 234]

    run(main)


def test_otlp_in_json_and_remote_write_arrive_as_spans_and_points(tmp_path: Path) -> None:
    trace = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "work", "kind": 1}
    now_ns = int(item()["time"] * 1e9)
    span = {**trace, "startTimeUnixNano": str(now_ns), "endTimeUnixNano": str(now_ns + 5)}
    bad = {**span, "spanId": "00"}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "orders"}}]}

    async def main() -> None:
        async with world(tmp_path) as running:
            body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span, bad]}]}]}
            answer = await running.post(body, "/v1/traces")
            assert (answer.status, answer.json["partialSuccess"]["rejectedSpans"]) == (200, "1")
            assert [(one.service, one.name) for one in running.stored(TOPIC_SPANS, decode_spans)] == [
                ("orders", "work")
            ]
            refused = await running.post(b"{", "/v1/traces")
            assert (refused.status, refused.json["code"]) == (400, 3)
            written = await running.post(_write_request(now_ns), "/api/v1/write", "application/x-protobuf")
            assert written.status == 204
            (point,) = running.stored(TOPIC_POINTS, decode_points)
            assert (point.name, point.service, point.value) == ("up", "api", 1.0)

    run(main)


def _write_request(now_ns: int) -> bytes:
    """prometheus.WriteRequest with one sample, as snappy."""

    def field(number: int, value: bytes) -> bytes:
        return bytes((number << 3 | 2, len(value))) + value

    labels = b"".join(
        field(1, field(1, name) + field(2, value)) for name, value in ((b"__name__", b"up"), (b"job", b"api"))
    )
    milliseconds, digits = now_ns // 1_000_000, bytearray()
    while milliseconds > 0x7F:
        digits.append(milliseconds & 0x7F | 0x80)
        milliseconds >>= 7
    digits.append(milliseconds)
    sample = field(2, b"\x09" + b"\0\0\0\0\0\0\xf0\x3f" + b"\x10" + bytes(digits))
    return bytes(cramjam.snappy.compress_raw(field(1, labels + sample)))


def test_a_key_of_another_rate_begins_with_a_full_bucket(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path, key(items_per_s=0.1)) as running:
            assert (await running.post([item()])).status == 200
            refused = await running.post([item(), item()])
            assert (refused.status, refused.json["code"]) == (429, "rate_limited")
            assert 5 <= int(refused.headers["retry-after"]) <= 11
            faster: list[IngestKey] = [key(items_per_s=1_000.0)]
            running.server.apply(faster)
            assert (await running.post([item(), item()])).status == 200
            assert read_counts(running.blocks)["events"].received == 3

    run(main)
