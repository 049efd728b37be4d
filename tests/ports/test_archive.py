"""The archive: what was acknowledged is found, once, and answers are those of going through all of it."""

from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ports.archive_model import answer
from tests.ports.archive_world import ALL_S, DAY_S, Archives, busy, point, rich_event, span
from tests.telemetry.making import T0, event

from foregate.kernel.errors import ForegateError
from foregate.ports.archive import ArchiveReader
from foregate.wire import TOPIC_EVENTS, TOPIC_HISTORY
from foregate.wire.ask import MEASURES, Answer, Ask, Filter
from foregate.wire.event import RequestEvent


def everything(reader: ArchiveReader, kind: Any = "events", org: str = "default", limit: int = 1_000) -> list[Any]:
    """All pages of it."""
    rows: list[Any] = []
    cursor = ""
    while True:
        page = reader.scan(kind, org, *ALL_S, limit=limit, cursor=cursor)
        rows += page.rows
        cursor = page.cursor
        if not cursor:
            return rows


def plain(item: msgspec.Struct) -> dict[str, Any]:
    """An item as a row has it."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(msgspec.structs.asdict(item)))
    ai = getattr(item, "ai", None)
    return found | {"ai": msgspec.structs.asdict(ai)} if ai else found


def test_what_was_appended_is_found_with_every_field_by_another_handle(archives: Archives) -> None:
    items = {"events": [rich_event(), event(time_s=T0 - 1)], "spans": [span(2), span(1)], "points": [point(1), point()]}
    writer = archives.open_writer()
    for kind, mine in items.items():
        writer.append(kind, mine, kind, {0: 1}, {})  # type: ignore[arg-type]
    reader = archives.open_reader()
    for kind, mine in items.items():
        assert everything(reader, kind) == [plain(one) for one in mine]
        assert reader.items(kind) == 2  # type: ignore[arg-type]
    assert list(reader.orgs()) == ["default"]
    assert reader.bytes_used > 0


def test_an_empty_archive_answers(archives: Archives) -> None:
    reader = archives.open_reader()
    assert reader.scan("spans", "default", *ALL_S).rows == []
    assert reader.ask(Ask("default", 0.0, 60.0, ("requests",), step_s=60), rows_max=0).series == ()
    assert (list(reader.orgs()), reader.items("events"), reader.bytes_used) == ([], 0, 0)


def test_offsets_and_accounts_are_kept_beside_the_items(archives: Archives) -> None:
    writer = archives.open_writer()
    writer.append("events", [event()], TOPIC_EVENTS, {0: 7, 3: 1}, {"invalid": 2})
    writer.append("events", [event(), event()], TOPIC_HISTORY, {0: 5}, {})
    writer.append("events", [], TOPIC_EVENTS, {0: 9}, {"lost_batches": 1})
    assert writer.offsets(TOPIC_EVENTS) == {0: 9, 3: 1}
    assert writer.offsets(TOPIC_HISTORY) == {0: 5}
    assert writer.offsets("spans") == {}
    assert archives.open_reader().counts("events") == {"accepted": 3, "invalid": 2, "lost_batches": 1}
    assert archives.open_reader().counts("spans") == {}


def test_an_organisation_sees_its_own_alone(archives: Archives) -> None:
    writer, reader = archives.open_writer(), archives.open_reader()
    for org in ("a", "a/../b", "A", "a'b", "é" * 300):
        writer.append("events", [event(org=org, path=org[:10])], TOPIC_EVENTS, {}, {})
    assert [row["path"] for row in everything(reader, org="a'b")] == ["a'b"]
    assert [row["path"] for row in everything(reader, org="A")] == ["A"]
    assert len(reader.orgs()) == 5
    assert list(writer.orgs()) == list(reader.orgs())
    assert reader.ask(Ask("a", *ALL_S, ("requests",)), rows_max=1).series[0].whole == (1,)


@pytest.mark.parametrize("limit", [13, 300])
def test_pages_give_every_item_once_newest_first_while_segments_are_merged(archives: Archives, limit: int) -> None:
    writer, reader = archives.open_writer(), archives.open_reader()
    events = [one for one in busy(1, 300) if one.org == "default"]
    same = [event(time_s=T0 + 5_000.0, request_id="", path=f"/{at}") for at in range(40)]  # a log without fractions
    events = sorted(events + same, key=lambda one: one.time_s)
    for begin in range(0, len(events), 20):
        writer.append("events", events[begin : begin + 20], TOPIC_EVENTS, {0: begin}, {})
    rows: list[Any] = []
    cursor = ""
    while not rows or cursor:
        page = reader.scan("events", "default", *ALL_S, limit=limit, cursor=cursor)
        rows += page.rows
        cursor = page.cursor
        writer.compact()
    assert [row["time_s"] for row in rows] == sorted((one.time_s for one in events), reverse=True)
    assert sorted(row["request_id"] + row["path"] for row in rows) == sorted(
        one.request_id + one.path for one in events
    )


def test_filters_and_the_range_hold_for_pages(archives: Archives) -> None:
    writer, reader = archives.open_writer(), archives.open_reader()
    writer.append("spans", [span(at, http_status=200 + at) for at in range(10)], "spans", {}, {})
    begin_s, end_s = T0 + 0.002, T0 + 0.008
    page = reader.scan("spans", "default", begin_s, end_s, [Filter("http_status", "ge", ("204",))])
    assert [row["http_status"] for row in page.rows] == [207, 206, 205, 204]
    page = reader.scan("spans", "default", *ALL_S, [Filter("trace_id", "eq", (f"{3:032x}",))])
    assert [row["http_status"] for row in page.rows] == [203]


@pytest.mark.parametrize(
    "given",
    [
        Filter("nonsense", "eq", ("1",)),
        Filter('service" = "" --', "eq", ("1",)),
        Filter("ai", "eq", ("1",)),
        Filter("status", "eq", ("many",)),
        Filter("status", "eq", ("nan",)),
        Filter("service", "lt", ("1",)),
        Filter("status", "prefix", ("2",)),
        Filter("service", "eq", ()),
        Filter("service", "eq", ("a", "b")),
        Filter("service", "in", ()),
    ],
)
def test_a_filter_that_means_nothing_is_refused(archives: Archives, given: Filter) -> None:
    archives.open_writer().append("events", [event()], TOPIC_EVENTS, {}, {})
    reader = archives.open_reader()
    with pytest.raises(ForegateError, match="invalid_parameter"):
        reader.scan("events", "default", *ALL_S, [given])
    with pytest.raises(ForegateError, match="invalid_parameter"):
        reader.ask(Ask("default", *ALL_S, ("requests",), filters=(given,)), rows_max=1)


@pytest.mark.parametrize("cursor", ["x", "AAAA", "WzEsLTFd", "é", "WzEsIDEsIDFd"])
def test_a_foreign_cursor_is_refused(archives: Archives, cursor: str) -> None:
    with pytest.raises(ForegateError, match="invalid_parameter"):
        archives.open_reader().scan("events", "default", *ALL_S, cursor=cursor)


def test_a_value_is_never_part_of_the_statement(archives: Archives) -> None:
    archives.open_writer().append("events", [event(service="it's; --")], TOPIC_EVENTS, {}, {})
    reader = archives.open_reader()
    for value, found in (("it's; --", 1), ("' OR '1'='1", 0), ("%", 0), ("?", 0)):
        given = Filter("service", "eq", (value,))
        assert len(reader.scan("events", "default", *ALL_S, [given]).rows) == found


def test_a_question_that_would_look_at_too_much_is_refused_before_it_runs(archives: Archives) -> None:
    archives.open_writer().append("events", busy(3, 100), TOPIC_EVENTS, {}, {})
    reader, ask = archives.open_reader(), Ask("default", *ALL_S, ("requests",))
    assert reader.ask(ask, rows_max=80).read == 80
    with pytest.raises(ForegateError, match="query_too_large"):
        reader.ask(ask, rows_max=79)


def close_to(found: Answer, expected: Answer) -> None:
    assert found.left_out == expected.left_out
    assert [one.group for one in found.series] == [one.group for one in expected.series]
    for mine, theirs in zip(found.series, expected.series, strict=True):
        assert mine.starts_s == theirs.starts_s
        assert mine.whole == pytest.approx(theirs.whole)
        assert len(mine.values) == len(theirs.values)
        for one, other in zip(mine.values, theirs.values, strict=True):
            assert one == pytest.approx(other)


FILTERS = (
    Filter("service", "in", ("payments", "orders")),
    Filter("route", "prefix", ("/r/1",)),
    Filter("path", "contains", ("/1",)),
    Filter("status", "ge", ("400",)),
    Filter("status_class", "ne", ("5xx",)),
    Filter("latency_ms", "lt", ("20.5",)),
    Filter("region", "not_in", ("eu", "")),
    Filter("client", "eq", ("10.0.0.3",)),
)
DIMENSIONS = ("service", "route", "status_class", "status", "key_id", "region", "method", "client")


@pytest.fixture(scope="module")
def traffic_of_days() -> Sequence[RequestEvent]:
    return busy(7, 4_000)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data())
def test_answers_are_those_of_going_through_all_events(filled: tuple[ArchiveReader, Any], data: st.DataObject) -> None:
    reader, events = filled
    from_s = T0 + data.draw(st.floats(-DAY_S, 3 * DAY_S))
    measures = data.draw(st.lists(st.sampled_from(MEASURES), min_size=1, max_size=4, unique=True))
    ask = Ask(
        data.draw(st.sampled_from(("default", "acme"))),
        from_s,
        from_s + data.draw(st.floats(1.0, 4 * DAY_S)),
        tuple(measures),
        step_s=data.draw(st.sampled_from((0, 0, 3_600, 10_000, 86_400))),
        group_by=tuple(data.draw(st.lists(st.sampled_from(DIMENSIONS), max_size=2, unique=True))),  # type: ignore[arg-type]
        filters=tuple(data.draw(st.lists(st.sampled_from(FILTERS), max_size=2, unique=True))),
        order=data.draw(st.sampled_from(("requests", "errors", "response_bytes"))),
        top=data.draw(st.sampled_from((1, 3, 1_000))),
    )
    close_to(reader.ask(ask, rows_max=1_000_000), answer(events, ask))


@pytest.fixture(scope="module")
def filled(traffic_of_days: Sequence[RequestEvent], make_archives: Any) -> Any:
    """An archive that events came to in pieces, in disorder, and that was tidied in between."""
    archives: Archives = make_archives()
    writer, chance = archives.open_writer(), Random(5)
    events = list(traffic_of_days)
    chance.shuffle(events)
    archives.clock.jump_to(T0 + 2 * DAY_S)
    while events:
        piece, events = events[:250], events[250:]
        writer.append("events", piece, TOPIC_EVENTS, {}, {})
        if chance.random() < 0.3:
            writer.compact()
    return archives.open_reader(), traffic_of_days


def test_tidying_changes_no_answer_and_leaves_fewer_pieces(archives: Archives) -> None:
    writer, reader = archives.open_writer(), archives.open_reader()
    events = busy(9, 900)
    archives.clock.jump_to(T0 + 10 * DAY_S)
    for begin in range(0, len(events), 30):
        writer.append("events", events[begin : begin + 30], TOPIC_EVENTS, {0: begin}, {})
    ask = Ask("default", *ALL_S, ("requests", "p95_ms", "clients"), group_by=("route",), top=100)
    before, rows = reader.ask(ask, rows_max=10_000), everything(reader)
    while writer.compact():
        assert reader.items("events") == 900
    assert reader.ask(ask, rows_max=10_000) == before
    assert everything(archives.open_reader()) == rows
    assert writer.offsets(TOPIC_EVENTS) == {0: 870}


def test_expiry_deletes_what_is_older_of_one_organisation(archives: Archives) -> None:
    writer, reader = archives.open_writer(), archives.open_reader()
    events = busy(11, 600)
    writer.append("events", events, TOPIC_EVENTS, {}, {})
    writer.append("spans", [span()], "spans", {}, {})
    border_s = T0 + 1.3 * DAY_S
    old = [one for one in events if one.org == "default" and one.time_s < border_s]
    assert writer.expire("events", "default", border_s) == len(old) > 100
    assert writer.expire("events", "default", border_s) == 0
    left = [one for one in events if one not in old]
    assert reader.items("events") == len(left)
    assert sorted(row["request_id"] for row in everything(reader)) == sorted(
        one.request_id for one in left if one.org == "default"
    )
    assert min(row["time_s"] for row in everything(reader)) >= border_s
    assert reader.items("spans") == 1
    of_others = Ask("acme", *ALL_S, ("requests",))
    close_to(reader.ask(of_others, rows_max=1_000), answer(events, of_others))


def test_at_the_bound_the_oldest_go_and_are_counted(archives: Archives) -> None:
    writer, reader = archives.open_writer(), archives.open_reader()
    for day in range(6):
        writer.append("events", [event(time_s=T0 + day * DAY_S + at) for at in range(200)], TOPIC_EVENTS, {}, {})
    assert writer.trim(reader.bytes_used) == 0
    gone = writer.trim(reader.bytes_used // 2)
    assert gone >= 600
    assert reader.counts("events") == {"accepted": 1_200, "trimmed": gone}
    assert reader.items("events") == 1_200 - gone
    assert max(row["time_s"] for row in everything(reader)) == T0 + 5 * DAY_S + 199
