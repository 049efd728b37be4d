"""Log records are found by what is asked, page by page, once each, and leave the disk when they are old."""

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.adapters.logs import making
from tests.adapters.logs.making import T0_NS, record

from foregate.adapters.embedded.logs import EmbeddedLogs, parts
from foregate.kernel.clock import ManualClock
from foregate.kernel.errors import ForegateError
from foregate.ports.logs import LogAsk
from foregate.wire.log import LogRecord

NOW_S = T0_NS / 1e9


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedLogs]:
    made = EmbeddedLogs(tmp_path / "logs.sqlite", ManualClock(NOW_S))
    yield made
    made.close()


def ask(words: str = "", **changes: Any) -> LogAsk:
    return msgspec.structs.replace(LogAsk("default", 0.0, NOW_S + 1e6, words), **changes)


def found(store: EmbeddedLogs, asked: LogAsk, limit: int = 50) -> list[str]:
    return [one.body for one in store.search(asked, limit).found]


def put(store: EmbeddedLogs, *records: LogRecord) -> None:
    store.take(records, "logs", {0: 1}, {})


def test_words_phrases_and_beginnings_are_found_in_body_and_attributes(store: EmbeddedLogs) -> None:
    put(
        store,
        record("payment failed for card", 1),
        record("card was fine", 2, attributes={"provider": "acme-pay"}),
        record("failed payment", 3),
    )
    assert found(store, ask("payment failed")) == ["failed payment", "payment failed for card"]
    assert found(store, ask('"payment failed"')) == ["payment failed for card"]
    assert found(store, ask("pay*")) == ["failed payment", "card was fine", "payment failed for card"]
    assert found(store, ask("acme")) == ["card was fine"]
    assert found(store, ask("pay")) == ["card was fine"]
    assert found(store, ask("PAYMENT Card")) == ["payment failed for card"]
    assert found(store, ask("***")) == []


def test_ids_services_severity_and_time_narrow_a_search(store: EmbeddedLogs) -> None:
    one = record("boom", 5, severity=17, service="pay", environment="aws", trace_id="t1", request_id="r1", key_id="k1")
    put(store, one, record("boom", 6, body="boom too"))
    for changes in (
        {"severity_min": 17}, {"service": "pay"}, {"environment": "aws"}, {"trace_id": "t1"}, {"request_id": "r1"},
        {"key_id": "k1"}, {"until_s": NOW_S + 5.5}, {"trace_id": "t1", "key_id": "k1", "service": "pay"},
    ):  # fmt: skip
        assert found(store, ask(**changes)) == ["boom"], changes
        assert found(store, ask("boom", **changes)) == ["boom"], changes
    assert found(store, ask(trace_id="r1")) == []
    assert found(store, ask(from_s=NOW_S + 5.5)) == ["boom too"]
    assert store.search(ask(trace_id="t1"), 1).found == [one]


def test_another_org_sees_nothing_of_it(store: EmbeddedLogs) -> None:
    put(store, record("secret", 1), record("secret", 2, org="other", body="secret of others", trace_id="t1"))
    assert found(store, ask("secret")) == ["secret"]
    assert found(store, ask("secret", org="other")) == ["secret of others"]
    assert found(store, ask(trace_id="t1")) == []
    assert found(store, ask("secret", org="nobody")) == []


@pytest.mark.parametrize("unit_ns", [1, 1_000, 1_000_000, 1_000_000_000])
def test_pages_give_every_record_once_the_newest_first_across_parts_and_late_comers(
    store: EmbeddedLogs, monkeypatch: pytest.MonkeyPatch, unit_ns: int
) -> None:
    monkeypatch.setattr(parts, "ROWS_MAX", 70)
    chance = random.Random(unit_ns)
    odd_ns = 7 if unit_ns == 1 else 0
    times = [T0_NS + odd_ns + chance.randrange(60) * max(unit_ns, 1_000_000) for _ in range(400)]
    records = [record(f"r{n}", 0, time_ns=time_ns, body=f"r{n} word") for n, time_ns in enumerate(times)]
    for at in range(0, 400, 23):
        put(store, *records[at : at + 23])
    for words in ("", "word"):
        seen: list[LogRecord] = []
        cursor = ""
        while True:
            page = store.search(ask(words), 17, cursor)
            seen += page.found
            cursor = page.cursor
            if not cursor:
                break
        assert len(seen) == 400
        assert {one.body for one in seen} == {one.body for one in records}
        assert [one.time_ns for one in seen] == sorted(times, reverse=True)
    with pytest.raises(ForegateError, match="cursor"):
        store.search(ask(), 5, "bm9uc2Vuc2U=")


def test_old_parts_go_and_their_disk_is_free_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "ROWS_MAX", 2_000)
    clock = ManualClock(NOW_S)
    store = EmbeddedLogs(tmp_path / "logs.sqlite", clock)
    chance = random.Random(1)
    for hour in range(4):
        put(store, *(making.noise(chance, hour * 3_600 + n / 1_000) for n in range(2_000)))
        clock.advance(3_600)
    full = store.bytes_used
    assert store.expire(NOW_S + 2 * 3_600 - 1) == 4_000
    assert store.bytes_used < full * 0.6
    store.close()
    assert (tmp_path / "logs.sqlite").stat().st_size < full * 0.6
    store = EmbeddedLogs(tmp_path / "logs.sqlite", clock)
    assert len(store.search(ask(), 10_000).found) == 4_000
    store.close()


def test_at_the_bound_the_org_with_most_loses_its_oldest(store: EmbeddedLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "ROWS_MAX", 500)
    chance = random.Random(2)
    put(store, record("small", 0, org="small"))
    for at in range(10):
        put(store, *(making.noise(chance, at * 500 + n) for n in range(500)))
    assert store.trim(store.bytes_used) == 0
    bound = store.bytes_used // 2
    assert store.trim(bound) >= 2_000
    assert store.bytes_used <= bound
    assert found(store, ask("small", org="small")) == ["small"]
    left = store.search(ask(), 10_000).found
    assert min(one.time_ns for one in left) > T0_NS + 1_900 * 10**9


def test_a_reader_beside_the_writer_searches_while_parts_come_and_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "ROWS_MAX", 50)
    clock = ManualClock(NOW_S)
    writer, reader = (EmbeddedLogs(tmp_path / "logs.sqlite", clock) for _ in range(2))
    stop, failures = threading.Event(), list[BaseException]()

    def read() -> None:
        while not stop.is_set():
            try:
                reader.search(ask("word"), 20)
            except BaseException as error:  # noqa: BLE001 - shown by the assertion below
                failures.append(error)
                return

    thread = threading.Thread(target=read)
    thread.start()
    for at in range(40):
        put(writer, *(record("word", at * 50 + n) for n in range(50)))
        clock.advance(1)
        writer.expire(clock.now() - 3)
    stop.set()
    thread.join()
    assert failures == []
    writer.close()
    reader.close()


def test_a_search_is_of_one_moment_though_parts_come_and_go_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "ROWS_MAX", 10)
    clock = ManualClock(NOW_S)
    writer, reader = (EmbeddedLogs(tmp_path / "logs.sqlite", clock) for _ in range(2))
    put(writer, *(record("word", at) for at in range(30)))
    look = reader._of_part

    def meanwhile(*given: Any) -> Any:
        put(writer, *(record("word later", 100 + at) for at in range(20)))
        writer.expire(1e12)
        return look(*given)

    monkeypatch.setattr(reader, "_of_part", meanwhile)
    assert len(found(reader, ask("word"))) == 30
    monkeypatch.undo()
    assert found(reader, ask("word")) == []
    writer.close()
    reader.close()
