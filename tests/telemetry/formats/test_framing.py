"""Protobuf's framing is walked to the same places where protobuf finds its messages."""

import random

from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans
from tests.telemetry.formats.making import attributes

from foregate.telemetry.formats.framing import RUN_BYTES_MAX, Body, Frame, Walk, runs

SPANS = 2


def _scope(spans: int, rng: random.Random) -> ScopeSpans:
    scope = ScopeSpans()
    for number in range(spans):
        span = scope.spans.add(name=f"span {number}", start_time_unix_nano=rng.getrandbits(64))
        attributes(span, {"text": "x" * rng.choice((0, 1, 126, 127, 128, 20_000))})
    return scope


def test_runs_are_messages_of_a_bounded_size_that_hold_all_there_is() -> None:
    scope = _scope(1_000, random.Random(7))
    data = scope.SerializeToString()
    assert len(data) > 2 * RUN_BYTES_MAX
    found, damaged_at = runs(Body(data), 0, len(data), SPANS)
    assert damaged_at == -1
    assert max(run.stop - run.start for run in found) <= RUN_BYTES_MAX
    decoded = [ScopeSpans.FromString(data[run.start : run.stop]) for run in found]
    assert [len(one.spans) for one in decoded] == [run.messages for run in found]
    assert [span for one in decoded for span in one.spans] == list(scope.spans)


def test_other_fields_between_them_end_a_run_and_cost_nothing() -> None:
    one, other = _scope(3, random.Random(7)), ScopeSpans(schema_url="https://example/1")
    strange = b"\x78\x96\x01" + b"\x79" + bytes(8) + b"\x7d" + bytes(4)  # field 15 as varint, as 64 and as 32 bits
    data = one.SerializeToString() + other.SerializeToString() + strange + one.SerializeToString()
    found, damaged_at = runs(Body(data), 0, len(data), SPANS)
    assert (damaged_at, [run.messages for run in found]) == (-1, [3, 3])


def test_wherever_it_is_cut_what_is_whole_is_found_and_the_place_is_told() -> None:
    scope = _scope(6, random.Random(8))
    data = scope.SerializeToString()
    ends = [frame.stop for frame in _apart(data)]
    for length in range(0, len(data), 7):
        found, damaged_at = runs(Body(data[:length]), 0, length, SPANS)
        assert sum(run.messages for run in found) == sum(end <= length for end in ends)
        assert (damaged_at == -1) == (length in (0, *ends))


def _apart(data: bytes) -> list[Frame]:
    walk, found = Walk(Body(data), 0, len(data)), []
    while (frame := walk.frame()) is not None:
        found.append(frame)
    return found


def test_bytes_of_any_kind_are_walked_to_their_end() -> None:
    rng = random.Random(9)
    for _ in range(2_000):
        data = rng.randbytes(rng.randrange(60))
        found, damaged_at = runs(Body(data), 0, len(data), rng.randrange(1, 4))
        assert -1 <= damaged_at <= len(data)
        assert all(0 <= run.start < run.stop <= len(data) and run.messages for run in found)
