"""POST /v1/telemetry: what is good is taken, whatever stands beside it, and the rest is told with its reason."""

import math
import resource
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.telemetry.formats.making import NOW_S, SENDER, as_json, as_lines, as_msgpack, item, took

from foregate.kernel.errors import ForegateError
from foregate.telemetry.formats import Parsed
from foregate.telemetry.formats.cleaning import ALIASES, cleaned
from foregate.telemetry.formats.items import events_of
from foregate.telemetry.formats.options import Options
from foregate.telemetry.formats.reading import read

FORMATS: dict[str, tuple[str, Callable[[list[Any]], bytes], int]] = {  # content type, how it is written, first index
    "json": ("application/json; charset=utf-8", as_json, 0),
    "lines": ("application/x-ndjson", as_lines, 1),
    "msgpack": ("application/msgpack", as_msgpack, 0),
}
every_format = pytest.mark.parametrize(("kind", "write", "first"), FORMATS.values(), ids=FORMATS)


def one(**more: Any) -> Any:
    parsed = took("telemetry", "application/json", as_json([item(0, **more)]))
    assert parsed.rejected == []
    return parsed.events[0]


def reason(**more: Any) -> str:
    parsed = took("telemetry", "application/json", as_json([{**item(0), **more}]))
    assert parsed.events == []
    return parsed.rejected[0].reason


@every_format
def test_all_items_are_taken_in_their_order(kind: str, write: Callable[[list[Any]], bytes], first: int) -> None:
    parsed = took("telemetry", kind, write([item(number) for number in range(300)]))
    assert [event.request_id for event in parsed.events] == [f"r-{number}" for number in range(300)]
    assert parsed.rejected == []
    event = parsed.events[7]
    assert (event.org, event.environment, event.region, event.cloud) == ("acme", "production", "eu-1", "aws")
    assert (event.time_s, event.status, event.latency_ms, event.source) == (NOW_S - 593, 200, 12.5, "telemetry")


@every_format
@pytest.mark.parametrize("bad", [{}, 7, None, "text", [1], item(0, status=999), item(0, time=1e300)], ids=repr)
def test_a_bad_item_costs_no_good_one(kind: str, write: Callable[[list[Any]], bytes], first: int, bad: object) -> None:
    items = [item(number) for number in range(300)]
    items[123] = bad
    parsed = took("telemetry", kind, write(items))
    assert [event.request_id for event in parsed.events] == [f"r-{n}" for n in range(300) if n != 123]
    assert [one.index for one in parsed.rejected] == [123 + first]
    assert parsed.invalid == {"events": 1}


@every_format
def test_what_stands_before_a_cut_is_taken(kind: str, write: Callable[[list[Any]], bytes], first: int) -> None:
    whole = write([item(number) for number in range(100)])
    for share in (0.1, 0.5, 0.99):
        parsed = took("telemetry", kind, whole[: int(len(whole) * share) - 20])
        assert abs(len(parsed.events) - 100 * share) <= 1
        assert [event.request_id for event in parsed.events] == [f"r-{n}" for n in range(len(parsed.events))]
        assert parsed.invalid["events"] == 1
        assert parsed.damaged or kind == "application/x-ndjson"


def test_a_number_that_json_does_not_know_costs_only_its_item() -> None:
    parsed = took("telemetry", "application/json", as_json([item(0), item(1, latency_ms=math.nan), item(2)]))
    assert [event.request_id for event in parsed.events] == ["r-0", "r-2"]
    assert parsed.rejected[0].reason == "latency_ms is no number."


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b""),
        ("application/json", b"<html>"),
        ("application/json", b'{"events": 7}'),
        ("application/x-ndjson", b"<html>\n<body>"),
        ("application/msgpack", b"\xc1"),
        ("application/msgpack", b"\xdd\x00\x00\x00\x09"),
        ("application/json", b"[" * 100_000),
    ],
)
def test_a_body_of_which_nothing_can_be_read_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(ForegateError) as raised:
        took("telemetry", kind, body)
    assert raised.value.spec.code == "body_invalid"


def test_other_types_are_refused_by_name() -> None:
    with pytest.raises(ForegateError) as raised:
        took("telemetry", "text/csv", b"")
    assert raised.value.spec.code == "unsupported_media_type"
    assert "application/x-ndjson" in raised.value.detail


@pytest.mark.parametrize("write", [as_json, as_msgpack])
def test_an_object_with_events_names_its_batch(write: Callable[[Any], bytes]) -> None:
    kind = "application/json" if write is as_json else "application/msgpack"
    parsed = took("telemetry", kind, write({"batch_id": "b-7", "events": [item(0), {}, item(2)]}))
    assert parsed.batch_id == "b-7"
    assert len(parsed.events) == 2
    assert not parsed.damaged


def test_a_batch_that_is_cut_off_has_no_id_for_it_may_come_again() -> None:
    body = as_json({"batch_id": "b-7", "events": [item(0), item(1)]})  # type: ignore[arg-type]
    parsed = took("telemetry", "application/json", body[:-20])
    assert (len(parsed.events), parsed.batch_id, parsed.damaged) == (1, "", True)


def test_one_object_is_one_item() -> None:
    assert took("telemetry", "application/json", as_json(item(3))).events[0].request_id == "r-3"  # type: ignore[arg-type]


@pytest.mark.parametrize("extra", [{}, {"user_agent": "curl", "nested": {"a": [1, {}]}}])
@pytest.mark.parametrize("count", [2, 200])
def test_other_names_and_units_mean_the_same(extra: dict[str, Any], count: int) -> None:
    said = item(0, **extra)
    renamed = {"timestamp": said.pop("time"), "http.route": said.pop("route"), "status_code": str(said.pop("status"))}
    renamed |= {"duration_s": said.pop("latency_ms") / 1_000, **said}
    parsed = took("telemetry", "application/json", as_json([renamed] * count))
    assert parsed.rejected == []
    assert parsed.events == [one()] * count


@pytest.mark.parametrize("count", [2, 200])
def test_of_two_names_of_a_field_the_one_that_the_table_names_first_holds(count: int) -> None:
    for said in ({"timestamp": 1.7e9, **item(0)}, {**item(0), "timestamp": 1.7e9}, {"duration_s": 9, **item(0)}):
        assert took("telemetry", "application/json", as_json([said] * count)).events == [one()] * count


def test_times_are_read_as_people_write_them() -> None:
    expected = 1_790_000_000.0
    for said in (expected, int(expected), expected * 1e3, expected * 1e6, str(int(expected)), "2026-09-21T14:13:20Z"):
        assert one(time=said).time_s == expected
    assert one(time="2026-09-21T16:13:20+02:00").time_s == expected
    assert one(time="2026-09-21 14:13:20").time_s == expected  # without a zone: UTC
    assert one(time=None).time_s == NOW_S


def test_values_that_cannot_be_are_named() -> None:
    assert reason(status=99) == "status is not between 100 and 599."
    assert reason(status="OK") == "status is no number."
    assert reason(latency_ms=-1) == "latency_ms is not between 0 and 8.64e+07."
    assert reason(latency_ms=None) == "latency_ms is missing."
    assert reason(service="") == "service is empty."
    assert "future" in reason(time=NOW_S + 4_000)
    assert "2000" in reason(time=-5)
    assert reason(time="yesterday") == "time is neither a date of RFC 3339 nor a number."


def test_texts_are_cut_to_their_bounds_and_hold_no_nul() -> None:
    event = one(service="s" * 500, host="h" * 9_000, request_id="a\0b", path="/" + "p" * 9_000, route="")
    assert (len(event.service), len(event.host), event.request_id) == (128, 256, "a\ufffdb")
    assert len(event.path) == 256
    parsed = took("telemetry", "application/msgpack", as_msgpack([item(0, request_id="a\0b")] * 200))
    assert {event.request_id for event in parsed.events} == {"a\ufffdb"}
    halves = b'[{"service":"\\ud800x","status":200,"latency_ms":1}]'
    took("telemetry", "application/json", halves).events[0].service.encode()


def test_ids_of_traces_have_one_form_or_none() -> None:
    assert one(trace_id="0AF7651916CD43DD8448EB211C80319C").trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert one(trace_id="0af76519-16cd-43dd-8448-eb211c80319c").trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert one(trace_id="0" * 32).trace_id == ""
    assert one(trace_id="hello", span_id="7").trace_id == ""


def test_a_path_becomes_a_route_and_loses_its_query() -> None:
    event = one(route="", path="/users/42/orders?token=secret")
    assert (event.route, event.path) == ("/users/{id}/orders", "/users/42/orders")
    event = one(route=None, path="https://api.example/users/42?x")
    assert (event.route, event.path) == ("/users/{id}", "/users/42")
    assert one(route="", path="").route == "unknown"


def test_time_limits_that_have_passed_have_one_name() -> None:
    assert one(status=504).error == "upstream_timeout"
    assert one(status=502, error="ReadTimeoutError").error == "upstream_timeout"
    assert one(status=502, error={"type": "deadline exceeded"}).error == "upstream_timeout"
    assert one(status=502, error=True).error == "error"
    assert one(status=502, error="ECONNRESET").error == "ECONNRESET"


def test_a_wait_is_what_was_said_of_it_and_unmeasured_where_nothing_was() -> None:
    assert [one().waited_ms, one(waited_ms=0.0).waited_ms, one(queue_time_ms="7.5").waited_ms] == [-1.0, 0.0, 7.5]


def test_what_a_model_was_asked_comes_along() -> None:
    event = one(ai={"provider": "openai", "model": "gpt-5", "input_tokens": 7, "output_tokens": 9, "cost": 0.5})
    assert event.ai is not None
    assert (event.ai.operation, event.ai.model, event.ai.output_tokens, event.ai.cost) == ("chat", "gpt-5", 9, 0.5)
    assert one(ai={"input_tokens": -1}).ai is None


def test_a_body_of_too_many_items_is_refused_before_it_is_decoded() -> None:
    options = Options(items_max=1_000)
    for kind, write, _ in FORMATS.values():
        for body in (write([item(0)] * 1_001), write([{}] * 200_000)):
            with pytest.raises(ForegateError) as raised:
                read("telemetry", kind, body, SENDER, options=options)
            assert raised.value.spec.code == "body_too_large"


@every_format
def test_an_item_beyond_all_measure_is_refused_before_it_costs_memory(
    kind: str, write: Callable[[list[Any]], bytes], first: int
) -> None:
    body = write([item(0), item(1, tags=["ab"] * 1_000_000), item(2)])
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    parsed = took("telemetry", kind, body)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 70_000
    assert parsed.events[0].request_id == "r-0"
    assert [one.index for one in parsed.rejected] == [1 + first]


def test_only_the_first_hundred_rejections_are_told_but_all_are_counted() -> None:
    parsed = took("telemetry", "application/json", as_json([{}] * 5_000))
    assert (len(parsed.rejected), parsed.invalid) == (100, {"events": 5_000})


_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**40), 2**70), st.text(max_size=300),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["200", "GET", "none", "hit", "h2", 200, 404, 504, 12.5, 1.79e9, 1.79e12, "2026-09-21T14:13:20Z"]),
)  # fmt: skip
_NAMES = sorted(name for names in ALIASES.values() for name in names)
_ITEMS = st.builds(
    lambda changed: {**item(1), **changed},
    st.dictionaries(st.sampled_from([*item(1), *_NAMES, "unknown", "other"]), _SCALARS, max_size=6),
)


@settings(max_examples=250, derandomize=True, deadline=None)
@given(st.lists(_ITEMS, min_size=1, max_size=4), st.sampled_from(list(FORMATS)))
def test_the_quick_way_and_the_thorough_one_say_the_same(items: list[dict[str, Any]], name: str) -> None:
    kind, write, first = FORMATS[name]
    items = items * (120 // len(items))  # so many that types are made for them
    try:
        body = write(items)
    except (OverflowError, ValueError, UnicodeEncodeError):  # what MessagePack cannot say
        return
    quick = took("telemetry", kind, body)
    thorough, options = Parsed(), Options()
    for index, one in enumerate(items, first):
        try:
            document = cleaned(msgspec.json.decode(as_json(one))) if name != "msgpack" else cleaned(one)  # type: ignore[arg-type]
        except Exception as why:  # noqa: BLE001 -- whatever it is, it must be a rejection
            thorough.reject("events", index, str(why))
        else:
            events_of((document,), index, SENDER, options, thorough)
    assert quick.events == thorough.events
    assert quick.rejected == thorough.rejected
