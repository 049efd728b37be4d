"""When PostgreSQL is not there, says no, or breaks off: nothing is lost or stored twice, and people are told why."""

import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from tests.ports.postgres_server import PostgresServer
from tests.ports.test_series import ASK, PAY, window
from tests.telemetry.making import event

from foregate.adapters.distributed.postgres import database as databases
from foregate.adapters.distributed.postgres.archive import PostgresArchive
from foregate.adapters.distributed.postgres.archive_reader import PostgresArchiveReader
from foregate.adapters.distributed.postgres.database import CONNECTIONS_MAX, Database
from foregate.adapters.distributed.postgres.failures import Refused, Unreachable
from foregate.adapters.distributed.postgres.series import PostgresSeries
from foregate.kernel.errors import ForegateError

EVENTS = ("events", 0)


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    with postgres.schema() as given:
        yield given


def test_no_server_is_said_with_its_address_and_what_to_do() -> None:
    with pytest.raises(Unreachable, match=r"PostgreSQL 127.0.0.1:1/foregate cannot be reached .* is it running"):
        PostgresSeries("postgresql://foregate:secret@127.0.0.1:1/foregate")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("postgresql://locked:wrong@/postgres", "password authentication failed .* check the user and the password"),
        ("postgresql://locked@/postgres", "give the password in telemetry.store"),
        ("postgresql://nobody_here@/postgres", "create that user"),
        ("postgresql://postgres@/nothing_here", "create that database"),
    ],
)
def test_what_the_server_refuses_is_said_and_not_the_password(
    postgres: PostgresServer, changed: str, said: str
) -> None:
    with pytest.raises(Refused, match=said) as refused:
        PostgresSeries(f"{changed}?host={postgres.url.partition('host=')[2]}")
    assert "wrong" not in str(refused.value)


def test_what_is_no_url_is_refused_without_showing_it() -> None:
    with pytest.raises(Refused, match="is not a URL") as refused:
        PostgresSeries("postgresql://u:hunter2@h/db?nonsense=1")
    assert "hunter2" not in str(refused.value)


def test_a_schema_that_one_may_not_write_is_said_so(postgres: PostgresServer, url: str) -> None:
    with pytest.raises(Refused, match="create the schema that search_path names"):
        PostgresSeries(url.replace("postgres@", "reader@"))


def test_a_server_that_was_restarted_is_connected_to_again_by_the_next_call(postgres: PostgresServer, url: str) -> None:
    with closing(PostgresSeries(url)) as series, closing(PostgresArchive(url)) as archive:
        series.append([window()], {EVENTS: 1}, {})
        postgres.stop()
        for call in (series.counts, lambda: series.append([window(ASK)], {EVENTS: 2}, {}), archive.orgs):
            with pytest.raises(Unreachable):
                call()
        postgres.start()
        assert series.scan(60, 0, 1_000) == [window()]
        series.append([window(ASK)], {EVENTS: 2}, {})
        assert series.offsets() == {0: 2}
        assert archive.orgs() == []


def test_a_server_that_dies_again_and_again_stores_every_write_once(postgres: PostgresServer, url: str) -> None:
    writes, refused = 400, []
    series = PostgresSeries(url)

    def write() -> None:
        for n in range(writes):
            while True:
                try:
                    series.append([window(start_s=60.0 * n)], {EVENTS: n}, {"accepted": 1})
                    break
                except Unreachable as error:
                    refused.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(3):
        writer.join(0.15)
        postgres.stop()
        postgres.start()
    writer.join(60)
    assert series.counts() == {"accepted": writes}
    assert series.offsets() == {0: writes - 1}
    assert len(series.scan(60, 0, 1e9)) == writes
    assert refused
    series.close()


def test_a_write_whose_answer_was_lost_is_known_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(PostgresSeries(url)) as series, closing(PostgresArchive(url)) as archive:
        series.append([window()], {EVENTS: 1}, {"accepted": 1})
        archive.append("events", [event()], "events", {0: 1}, {})
        commit = Database._commit

        def lost(self: Database, connection: databases.Connection) -> None:
            commit(self, connection)
            connection.close()
            raise psycopg.OperationalError("the connection was lost")

        monkeypatch.setattr(Database, "_commit", lost)
        with pytest.raises(Unreachable):
            series.append([window()], {EVENTS: 2}, {"accepted": 1})
        with pytest.raises(Unreachable):
            archive.append("events", [event()], "events", {0: 2}, {})
        monkeypatch.undo()
        assert archive.offsets("events") == {0: 2}
        series.append([window()], {EVENTS: 2}, {"accepted": 1})
        archive.append("events", [event()], "events", {0: 2}, {})
        assert series.counts() == {"accepted": 2}
        series.append([window()], {EVENTS: 3}, {"accepted": 1})  # and goes on
        archive.append("events", [event()], "events", {0: 3}, {})
        with closing(PostgresArchiveReader(url)) as reader:
            assert (reader.items("events"), reader.counts("events")) == (3, {"accepted": 3})


def test_two_that_have_a_bus_of_their_own_do_not_write_over_each_other(url: str) -> None:
    with closing(PostgresSeries(url)) as one, closing(PostgresSeries(url)) as other:
        one.append([window(requests=1)], {EVENTS: 5}, {"accepted": 1})
        assert other.offsets() == {0: 5}
        one.append([window(requests=2)], {EVENTS: 6}, {"accepted": 1})
        with pytest.raises(Refused, match="events/0: two that have a bus of their own need a database"):
            other.append([window(requests=9)], {EVENTS: 7}, {"accepted": 1})
        assert other.offsets() == {0: 6}  # who takes over looks first, and then goes on
        other.append([window(PAY, requests=3)], {EVENTS: 7}, {"accepted": 1})
        assert one.counts() == {"accepted": 3}


def test_writers_that_come_at_once_take_turns(url: str) -> None:
    def write(partition: int) -> None:
        with closing(PostgresSeries(url)) as series:
            for n in range(20):
                mine = [window(PAY if (n + partition) % 2 else ASK, 60.0 * (n % 5)), window(start_s=60.0 * (n % 3))]
                series.append(mine, {("events", partition): n}, {"accepted": 1})

    threads = [threading.Thread(target=write, args=(partition,)) for partition in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with closing(PostgresSeries(url)) as series:
        assert series.offsets() == {0: 19, 1: 19, 2: 19}
        assert series.counts() == {"accepted": 60}


def test_more_threads_than_connections_take_turns(url: str) -> None:
    answers = []
    with closing(PostgresSeries(url)) as series:
        series.append([window()], {}, {"accepted": 7})
        threads = [threading.Thread(target=lambda: answers.append(series.counts())) for _ in range(5 * CONNECTIONS_MAX)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert answers == [{"accepted": 7}] * len(threads)


def test_a_question_that_takes_too_long_is_broken_off(url: str) -> None:
    with closing(PostgresArchive(url)) as archive, closing(PostgresArchiveReader(url, timeout_s=0.001)) as reader:
        archive.append("events", [event(time_s=float(n)) for n in range(20_000)], "events", {}, {})
        with pytest.raises(ForegateError, match="query_timeout"):
            reader.scan("events", "default", 0.0, 1e9, limit=4_000)


def test_a_transaction_that_fails_leaves_its_connection_usable(url: str) -> None:
    database = Database(url)
    with pytest.raises(OSError, match="division by zero"), database.writing() as cursor:
        cursor.execute("SELECT 1 / 0")
    with database.reading() as cursor:
        assert cursor.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(OSError, match="read-only"), database.reading() as cursor:
        cursor.execute("CREATE TABLE t (n integer)")
    database.close()
