"""docs/explanations/windows.md is the definition: its SQL, run by DuckDB, gives what the windows hold."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pytest
from tests.telemetry.making import T0, event, traffic

from foregate.kernel.errors import ERRORS
from foregate.telemetry.facets import facets_of, latencies_by_class
from foregate.telemetry.rollup import merge_windows
from foregate.telemetry.sketch import Sketch
from foregate.telemetry.windows import Windower
from foregate.wire.event import AiUsage, RequestEvent
from foregate.wire.window import ROLLED_UP_FROM, SPANS_S, StoredWindow

PAGE = Path(__file__).parents[3] / "docs/explanations/windows.md"
NUMBERS, HISTOGRAM, KEYS = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
CLIENT_ERRORS = [code for code, spec in ERRORS.items() if spec.fault == "client"]
SPANS = (*SPANS_S, *ROLLED_UP_FROM)
COLUMNS = [name for name in RequestEvent.__struct_fields__ if name != "ai"]
ATTEMPTS = (
    "openai/gpt-5:ok",
    "openai/gpt-5:429 openai/gpt-5:429 anthropic/claude:ok",
    "openai/gpt-5:upstream_timeout anthropic/ft:claude:client_closed",
    "openai/gpt-5:500 mistral/large:cannot_say(tools) anthropic/claude:404 anthropic/opus:422",
    "openai/gpt-5:provider_failed(too_many) google/gemini:other_api",
    "",
)
Row = dict[str, Any]


def usage(attempts: str, first_token_ms: float) -> AiUsage:
    return AiUsage(
        "chat", "openai", "gpt-5", "gpt-5", 120, 1 << 40, 0, 0.1, False, first_token_ms, 20.0, True, "stop", attempts
    )


def borders() -> list[RequestEvent]:
    """What lies at a border of a definition."""
    odd: list[dict[str, object]] = [
        {"latency_ms": 0.0},
        {"latency_ms": 0.01},
        {"latency_ms": 9e8},
        {"latency_ms": -1.0},
        {"status": 499, "error": "client_closed"},
        {"status": 498},
        {"status": 101, "error": "client_closed"},
        {"status": 200, "error": "upstream_truncated"},
        {"status": 0, "error": "upstream_timeout"},
        {"status": 999},
        {"attempts": 0, "cache": "hit", "upstream_ms": 0.0},
        {"status": 503, "limit": "refused", "breaker": "open", "attempts": 0},
        {"client": "", "key_id": ""},
        {"time_s": T0 + 60.0},
        {"time_s": T0 + 59.999999},
        {"waited_ms": 0.0},
        {"waited_ms": 0.0, "attempts": 0},
        {"waited_ms": 1_000.25, "attempts": 0, "status": 503, "error": "bulkhead_full"},
        {"waited_ms": 2e9},
        {"status": 429},
        {"status": 429, "limit": "refused"},
        {"status": 429, "attempts": 0},
        *({"ai": usage(said, first_token_ms)} for said in ATTEMPTS for first_token_ms in (-1.0, 0.0, 412.5, 2e9)),
        {"ai": usage("openai/gpt-5:429", -1.0), "status": 429},
    ]
    return [event(**changes) for changes in odd]


@pytest.fixture(scope="module")
def events() -> list[RequestEvent]:
    return [*traffic(17, 6_000, seconds=7_000), *borders()]


@pytest.fixture(scope="module")
def windows(events: list[RequestEvent]) -> dict[int, list[StoredWindow]]:
    """By span; hours and days as they are rolled up."""
    windower = Windower()
    for at in range(0, len(events), 500):
        windower.add_past(events[at : at + 500], T0 + 10_000)
    windower.unknown()
    windower.learn(())
    found: dict[int, list[StoredWindow]] = defaultdict(list)
    for window in windower.drain_dirty():
        found[window.stats.span_s].append(window)
    for span_s, part_s in ROLLED_UP_FROM.items():
        parts = defaultdict(list)
        for window in found[part_s]:
            parts[window.entity, window.stats.start_s // span_s * span_s].append(window)
        found[span_s] = [merge_windows(each, span_s, start_s) for (_, start_s), each in parts.items()]
    return found


def ask(sql: str, span_s: int, events: list[RequestEvent], **more: object) -> list[Row]:
    of_models = [None if one.ai is None else msgspec.structs.asdict(one.ai) for one in events]
    rows = [
        {"ai": ai} | {name: getattr(one, name) for name in COLUMNS} for one, ai in zip(events, of_models, strict=True)
    ]
    connection = duckdb.connect()
    connection.register("events", pa.Table.from_pylist(rows))
    answer = connection.execute(sql, {"span_s": span_s, **more})
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def key_of(row: Row) -> tuple[object, ...]:
    return row["org"], row["service"], row["route"], row["environment"], row["start_s"]


def key_of_window(window: StoredWindow) -> tuple[object, ...]:
    return *msgspec.structs.astuple(window.entity), window.stats.start_s


@pytest.mark.parametrize("span_s", SPANS)
def test_the_numbers_of_every_window_are_those_of_the_sql(
    span_s: int, events: list[RequestEvent], windows: dict[int, list[StoredWindow]]
) -> None:
    expected = {key_of(row): row for row in ask(NUMBERS, span_s, events, client_errors=CLIENT_ERRORS)}
    assert {key_of_window(window) for window in windows[span_s]} == expected.keys()
    for window in windows[span_s]:
        row = expected[key_of_window(window)]
        latency, upstream = Sketch.decode(window.latency), Sketch.decode(window.upstream)
        found = {name: getattr(window.stats, name) for name in row if hasattr(window.stats, name)}
        found |= {
            "latency_sum_us": latency.sum_us,
            "upstream_sum_us": upstream.sum_us,
            "upstream_count": upstream.count,
            "clients": facets_of(window).clients.estimate() if span_s >= 60 else row["clients"],
        }
        assert found | dict(zip(("org", "service", "route", "environment"), key_of(row), strict=False)) == row


@pytest.mark.parametrize("span_s", SPANS[1:])
def test_the_histogram_of_every_status_class_is_that_of_the_sql(
    span_s: int, events: list[RequestEvent], windows: dict[int, list[StoredWindow]]
) -> None:
    expected: dict[tuple[object, ...], dict[int, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
    for row in ask(HISTOGRAM, span_s, events):
        expected[key_of(row)][row["status_class"]][row["bucket"]] = row["requests"]
    for window in windows[span_s]:
        found = {status_class: dict(one.buckets) for status_class, one in latencies_by_class(window).items()}
        assert found == expected[key_of_window(window)]


@pytest.mark.parametrize("span_s", SPANS[1:])
def test_the_busiest_keys_are_those_of_the_sql(
    span_s: int, events: list[RequestEvent], windows: dict[int, list[StoredWindow]]
) -> None:
    expected: dict[tuple[object, ...], dict[str, int]] = defaultdict(dict)
    for row in ask(KEYS, span_s, events):
        expected[key_of(row)][row["key_id"]] = row["requests"]
    for window in windows[span_s]:
        assert facets_of(window).keys.counts == expected[key_of_window(window)]
