"""The tables in PostgreSQL: made once, kept up to date, divided by day, and rid of what is old."""

import re
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.ports.archive_world import ALL_S, busy
from tests.ports.postgres_server import PostgresServer
from tests.ports.test_series import PAY, window
from tests.telemetry.making import T0, event

from foregate.adapters.distributed.postgres import items, partitions, tables
from foregate.adapters.distributed.postgres.archive import PostgresArchive
from foregate.adapters.distributed.postgres.archive_reader import PostgresArchiveReader
from foregate.adapters.distributed.postgres.failures import Refused
from foregate.adapters.distributed.postgres.partitions import Divided
from foregate.adapters.distributed.postgres.series import PostgresSeries
from foregate.adapters.distributed.postgres.timescale import created, dropped, measured
from foregate.adapters.sql.columns import Column
from foregate.wire.entity import Entity
from foregate.wire.usage import Usage, UsageKey, UsageSums
from foregate.wire.window import WindowStats

DAY_S = 86_400


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    with postgres.schema() as given:
        yield given


def parts(postgres: PostgresServer, url: str, table: str) -> list[str]:
    found = postgres.execute(
        f"SELECT relid::regclass::text FROM pg_partition_tree('{table}') WHERE isleaf ORDER BY 1", url
    )
    return [name for (name,) in found]


def test_a_window_s_numbers_are_columns_in_the_order_of_its_message() -> None:
    assert ("start_s", "span_s", *tables.NUMBERS) == WindowStats.__struct_fields__


def test_processes_that_open_an_empty_database_at_once_make_its_tables_once(url: str) -> None:
    failed = []

    def open_both() -> None:
        try:
            PostgresSeries(url).close()
            PostgresArchive(url).close()
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=open_both) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    with closing(PostgresSeries(url)) as series:
        assert series.counts() == {}


def test_a_newer_schema_is_refused_and_left_alone(postgres: PostgresServer, url: str) -> None:
    PostgresSeries(url).close()
    postgres.execute("UPDATE foregate_stores SET version = 99", url)
    with pytest.raises(Refused, match="series was written by a newer foregate"):
        PostgresSeries(url)
    assert postgres.execute("SELECT store, version FROM foregate_stores", url) == [("series", 99)]


def test_windows_that_an_older_version_has_stored_gain_columns_of_nothing(
    postgres: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr("foregate.adapters.distributed.postgres.series.MIGRATIONS", tables.MIGRATIONS[:2])
        PostgresSeries(url).close()
    names = list(tables.NUMBERS)[:18]
    postgres.execute(
        "INSERT INTO entities (digest, org, service, route, environment) "
        "VALUES ('x', 'default', 'payments', '/pay', 'production'); "
        f"INSERT INTO windows_60 (start_at, entity, {', '.join(names)}, latency, upstream, facets) "
        f"SELECT to_timestamp(600), id, {', '.join('7' for _ in names)}, '', '', '' FROM entities",
        url,
    )
    with closing(PostgresSeries(url)) as series:
        (found,) = series.scan(60, 0, 1_000)
        assert found.stats == WindowStats(600.0, 60, **dict.fromkeys(names, 7))
        series.append([window(requests=3)], {}, {})
        assert {one.stats.requests for one in series.scan(60, 0, 1_000)} == {3, 7}


def test_who_may_only_read_can_ask(postgres: PostgresServer, url: str) -> None:
    with closing(PostgresSeries(url)) as series, closing(PostgresArchive(url)) as archive:
        series.append([window()], {}, {})
        archive.append("events", [event()], "events", {}, {})
    schema = url.rpartition("%3D")[2]
    postgres.execute(
        f"GRANT USAGE ON SCHEMA {schema} TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader"
    )
    theirs = url.replace("postgres@", "reader@")
    with closing(PostgresSeries(theirs)) as series, closing(PostgresArchiveReader(theirs)) as reader:
        assert series.scan(60, 0, 1_000) == [window()]
        assert len(reader.scan("events", "default", *ALL_S).rows) == 1
        with pytest.raises(Refused, match="permission denied"):
            series.append([window()], {}, {})


def test_a_field_that_a_message_has_got_since_is_a_column_with_its_default(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {kind: items.columns(kind) for kind in items.ITEMS}
    monkeypatch.setattr(items, "columns", lambda kind: [one for one in old[kind] if one.name not in ("source", "ai")])
    with closing(PostgresArchive(url)):
        pass
    monkeypatch.setattr(items, "columns", lambda kind: old[kind])
    with closing(PostgresArchive(url)) as archive, closing(PostgresArchiveReader(url)) as reader:
        archive.append("events", [event(source="otlp")], "events", {}, {})
        (row,) = reader.scan("events", "default", *ALL_S).rows
        assert (row["source"], row["ai"]) == ("otlp", None)
    newer = {kind: [*of, Column("shade", "text", "it's grey")] for kind, of in old.items()}
    monkeypatch.setattr(items, "columns", lambda kind: newer[kind])
    PostgresArchive(url).close()
    PostgresArchive(url).close()


def test_single_items_can_be_asked_for_in_sql_by_people(postgres: PostgresServer, url: str) -> None:
    with closing(PostgresArchive(url)) as archive:
        archive.append("events", [event(time_s=T0 + 0.25, status=503)], "events", {}, {})
    ((status, exact),) = postgres.execute(
        f"SELECT status, extract(epoch FROM at)::float8 = time_s FROM events WHERE at >= to_timestamp({T0})", url
    )
    assert (status, exact) == (503, True)


def test_days_have_parts_of_their_own_made_before_they_begin(postgres: PostgresServer, url: str) -> None:
    with closing(PostgresArchive(url)) as archive, closing(PostgresSeries(url)) as series:
        archive.append("events", [event(time_s=0.5), event(time_s=3.0 * DAY_S)], "events", {}, {})
        series.append([window(start_s=60.0), window(PAY, 0.0, 3_600)], {}, {})
    days = ["events_19700101", "events_19700104", "events_19700105", "events_default"]
    assert parts(postgres, url, "events") == days
    assert parts(postgres, url, "windows_60") == ["windows_60_19700101", "windows_60_19700102", "windows_60_default"]
    assert len(parts(postgres, url, "windows_3600")) == 3


def test_what_lies_in_the_default_part_moves_to_the_part_that_is_made_for_it(
    postgres: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(PostgresArchive(url)) as archive, closing(PostgresArchiveReader(url)) as reader:
        monkeypatch.setattr(partitions, "PARTS_MAX", 0)
        archive.append("events", [event(time_s=float(n * DAY_S)) for n in range(3)], "events", {}, {})
        assert parts(postgres, url, "events") == ["events_default"]
        monkeypatch.undo()
        archive.close()
        with closing(PostgresArchive(url)) as again:
            again.append("events", [event(time_s=float(n * DAY_S) + 1) for n in range(3)], "events", {}, {})
        assert postgres.execute("SELECT count(*) FROM events_default", url) == [(0,)]
        assert postgres.execute("SELECT count(*) FROM events_19700102", url) == [(2,)]
        assert reader.items("events") == len(reader.scan("events", "default", *ALL_S).rows) == 6


def test_days_that_are_over_are_dropped_and_their_disk_is_free(postgres: PostgresServer, url: str) -> None:
    with closing(PostgresArchive(url)) as archive, closing(PostgresArchiveReader(url)) as reader:
        archive.append("events", busy(3, 3_000), "events", {}, {})
        before, files = reader.bytes_used, parts(postgres, url, "events")
        border_s = (T0 // DAY_S + 2) * DAY_S
        gone = archive.expire("events", "acme", border_s)
        assert parts(postgres, url, "events") == files  # the other organisation's are still in them
        gone += archive.expire("events", "default", border_s)
        assert gone > 1_000
        assert len(parts(postgres, url, "events")) == len(files) - 2
        assert reader.bytes_used < 0.7 * before
        assert reader.items("events") == 3_000 - gone
        archive.append("events", [event(time_s=T0)], "events", {}, {})  # a late one: its day has a part again
        assert len(parts(postgres, url, "events")) == len(files)
        for org in ("acme", "default"):  # with the next full day go the empty ones before it
            assert archive.expire("events", org, border_s + DAY_S) > 0
        assert len(parts(postgres, url, "events")) == len(files) - 3


def test_a_day_of_windows_is_dropped_whole(postgres: PostgresServer, url: str) -> None:
    with closing(PostgresSeries(url)) as series:
        series.append([window(start_s=3_600.0 * n) for n in range(72)], {}, {})
        assert series.expire(60, 2.5 * DAY_S) == 60
        assert parts(postgres, url, "windows_60") == [
            "windows_60_19700103",
            "windows_60_19700104",
            "windows_60_default",
        ]
        assert [one.stats.start_s for one in series.scan(60, 0, 1e9)] == [3_600.0 * n for n in range(60, 72)]
        series.append([window(start_s=0.0)], {}, {})
        assert len(series.scan(60, 0, 1e9)) == 13


def test_what_is_being_read_is_dropped_the_next_time(
    postgres: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    monkeypatch.setattr(partitions, "_DROP_LOCK_S", 0.05)
    with closing(PostgresSeries(url)) as series, closing(PostgresArchive(url)) as archive:
        series.append([window(start_s=0.0)], {}, {})
        archive.append("events", [event(time_s=5.0)], "events", {}, {})
        with psycopg.connect(url) as reading:
            reading.execute("SELECT FROM windows_60")
            reading.execute("SELECT FROM events")
            assert series.expire(60, 5.0 * DAY_S) == 0
            assert archive.expire("events", "default", 5.0 * DAY_S) == 0
        assert series.expire(60, 5.0 * DAY_S) == 1
        assert archive.expire("events", "default", 5.0 * DAY_S) == 1


def test_values_that_no_column_holds_become_the_nearest_and_stop_nobody(url: str) -> None:
    hostile = Entity("default", "nul\0", "/" + "é" * 5_000, "production")
    huge = WindowStats(600.0, 60, requests=1, request_bytes=1 << 70, p95_ms=float("inf"))
    used = Usage(UsageKey(0, "k\0", "s" * 5_000, "m" * 9_000), UsageSums(1, cost=0.5))
    with closing(PostgresSeries(url)) as series:
        for _ in range(2):
            series.append([msgspec.structs.replace(window(hostile), stats=huge)], {}, {}, [used])
        (found,) = series.scan(60, 0, 1_000, entity=hostile)
        assert found.entity == Entity("default", "nul\ufffd", hostile.route, "production")
        assert (found.stats.request_bytes, found.stats.p95_ms) == ((1 << 63) - 1, float("inf"))
        assert series.usage("key", 0, 1).used == [("k\ufffd", UsageSums(2, cost=1.0))]
    with closing(PostgresArchive(url)) as archive, closing(PostgresArchiveReader(url)) as reader:
        archive.append("events", [event(path="/\0", request_bytes=1 << 80)], "events", {}, {})
        (row,) = reader.scan("events", "default", *ALL_S).rows
        assert (row["path"], row["request_bytes"]) == ("/\ufffd", (1 << 63) - 1)


def test_the_guide_s_questions_can_be_asked(postgres: PostgresServer, url: str) -> None:
    with closing(PostgresSeries(url)) as series, closing(PostgresArchive(url)) as archive:
        series.append([window()], {}, {})
        archive.append("events", [event(status=503)], "events", {}, {})
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "postgresql.md").read_text()
    blocks = re.findall(r"```sql\n(SELECT.*?)```", guide, re.DOTALL)
    asked = [query for block in blocks for query in block.split(";")[:-1]]
    assert len(asked) == 2
    for query in asked:
        assert postgres.execute(query, url) == []  # of the last minutes
        assert len(postgres.execute(query.replace("interval '1", "interval '100 years' - interval '1"), url)) == 1


class TestTimescale:
    """TimescaleDB cannot be had for tests: what would be sent to it is held, and no more."""

    DAYS = Divided("events", "at", DAY_S)

    def said(self, postgres: PostgresServer, *composed: Any) -> list[str]:
        import psycopg

        with psycopg.connect(postgres.url) as connection:
            return [each.as_string(connection) for each in composed]

    def test_tables_become_hypertables(self, postgres: PostgresServer) -> None:
        from psycopg import sql

        width = "chunk_time_interval => make_interval(secs => 86400)"
        assert self.said(postgres, *created(self.DAYS, sql.SQL("at timestamptz NOT NULL"))) == [
            'CREATE TABLE "events" (at timestamptz NOT NULL)',
            f"SELECT create_hypertable('events', 'at', {width}, create_default_indexes => false)",
        ]

    def test_chunks_are_dropped_by_time_and_measured(self, postgres: PostgresServer) -> None:
        assert self.said(postgres, dropped(self.DAYS, 0.0, 86_400.0), measured(self.DAYS)) == [
            "SELECT drop_chunks('events', older_than => to_timestamp(86400.0), newer_than => to_timestamp(0.0))",
            "SELECT coalesce(hypertable_size('events'), 0)",
        ]
