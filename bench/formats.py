"""Reading telemetry: `python -m bench formats [--items N]`. CPU time per item of every format, on one core.

Beside it, in the same rounds and of the same JSON: `json.loads` and a pydantic model, which is what a FastAPI handler
does with a body before its first line; and protobuf's parser alone, without making anything of what it found.
"""

import argparse
import json
import time
from collections.abc import Callable

import pydantic
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.telemetry.formats import making

from bench.report import Goal, Outcome, finish, median, say
from foregate.telemetry.formats.options import Options

_ROUNDS = 15
_LEAST_S = 0.02  # of CPU, a measurement


class _Item(pydantic.BaseModel):
    """What `making.item` writes."""

    time: float
    service: str = pydantic.Field(min_length=1, max_length=128)
    route: str = pydantic.Field("", max_length=256)
    method: str = ""
    status: int = pydantic.Field(ge=100, le=599)
    latency_ms: float = pydantic.Field(ge=0)
    request_id: str = ""
    trace_id: str = ""
    span_id: str = ""
    client: str = ""
    key_id: str = ""


_items = pydantic.TypeAdapter(list[_Item])


def _cpu_us(read: Callable[[], object], items: int) -> float:
    """Of one item."""
    begin_s = time.process_time()
    times = 0
    while time.process_time() - begin_s < _LEAST_S:
        read()
        times += 1
    return (time.process_time() - begin_s) / times / items * 1e6


def _readers(items: int) -> dict[str, Callable[[], object]]:
    options = Options()
    events = [
        making.item(number, client="203.0.113.7", key_id="key_1", span_id=f"{number + 1:016x}")
        for number in range(items)
    ]
    renamed = [{**event, "timestamp": event["time"], "user_agent": "curl/8"} for event in events]
    for event in renamed:
        del event["time"]
    one_bad = [*events[:-1], {}]
    traces = making.traces(items)
    as_json, as_protobuf = making.as_json(events), traces.SerializeToString()
    bodies = {
        "JSON": ("telemetry", "application/json", as_json),
        "JSON, other names": ("telemetry", "application/json", making.as_json(renamed)),
        "JSON, one item is bad": ("telemetry", "application/json", making.as_json(one_bad)),
        "lines of JSON": ("telemetry", "application/x-ndjson", making.as_lines(events)),
        "MessagePack": ("telemetry", "application/msgpack", making.as_msgpack(events)),
        "OTLP spans, protobuf": ("traces", "application/x-protobuf", as_protobuf),
        "OTLP spans, JSON": ("traces", "application/json", making.as_otlp_json(traces)),
        "OTLP logs, protobuf": ("logs", "application/x-protobuf", making.logs(items).SerializeToString()),
        "OTLP points, protobuf": ("metrics", "application/x-protobuf", making.metrics(items).SerializeToString()),
        "remote write": ("remote_write", "application/x-protobuf", making.samples(items).SerializeToString()),
    }
    readers: dict[str, Callable[[], object]] = {
        name: lambda said=said: making.took(*said, options) for name, said in bodies.items()
    }
    readers["json.loads and pydantic"] = lambda: _items.validate_python(json.loads(as_json))
    readers["protobuf's parser alone"] = lambda: ExportTraceServiceRequest.FromString(as_protobuf)
    return readers


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench formats")
    parser.add_argument("--items", type=int, default=500, help="of a body")
    items = parser.parse_args(argv).items
    readers = _readers(items)
    measured: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(_ROUNDS):  # in turns: all meet the same neighbours
        for name, read in readers.items():
            measured[name].append(_cpu_us(read, items))
    outcome = Outcome()
    for name, values in measured.items():
        outcome.facts[name] = {"median_us": median(values), "least_us": min(values)}
        say(f"{name:26} {median(values):7.2f} µs an item (least {min(values):.2f})")
    pairs = zip(measured["json.loads and pydantic"], measured["JSON"], strict=True)
    outcome.goals = [
        Goal(
            "JSON to events, cheaper than json.loads and pydantic to models",
            median([a / b for a, b in pairs]),
            least=1,
            unit="x",
        )
    ]
    return finish("formats", outcome)
