"""Logs that people have come in whole: counted, resumable, never twice, and a bad line costs no good one."""

import gzip
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.app.importing import BadImport, Outcome, Wanted, import_file
from foregate.app.importing.journal import Journal
from foregate.app.importing.making import Belonging
from foregate.app.importing.run import Malformed
from foregate.kernel.clock import SystemClock
from foregate.ports.bus import Append
from foregate.telemetry.formats.logs import find
from foregate.wire import TOPIC_HISTORY
from foregate.wire.event import RequestEvent, decode_events

ACME = Belonging("acme", "shop", "staging", region="eu-1", cloud="own", instance="web-1")


def line(number: int, status: int = 200) -> str:
    at = f"[10/Oct/2025:13:{number // 60 % 60:02}:{number % 60:02} +0000]"
    request, client = f'"GET /orders/{number}?q=1 HTTP/1.1"', f"192.0.2.{number % 200}"
    return f'{client} - - {at} {request} {status} {number} "-" "curl/8" 0.{number % 1000:03}\n'


def brought(folder: Path) -> list[RequestEvent]:
    bus = EmbeddedBus(folder / "bus.sqlite", SystemClock())
    events = [
        event
        for partition in range(bus.partitions)
        for batch in bus.read(TOPIC_HISTORY, partition, -1, 100_000)
        for event in decode_events(batch.payload)
    ]
    bus.close()
    return events


def run(folder: Path, file: Path, rejected: list[Malformed] | None = None, **wanted: object) -> Outcome:
    folder.mkdir(exist_ok=True)
    clock = SystemClock()
    bus, journal = EmbeddedBus(folder / "bus.sqlite", clock), Journal(folder / "imports.json")
    told: list[int] = []
    asked = Wanted(file, ACME, **wanted)  # type: ignore[arg-type]
    reject = [].append if rejected is None else rejected.append
    try:
        outcome = import_file(asked, bus, journal, clock, find, lambda at, _: told.append(at), reject)
    finally:
        bus.close()
        journal.close()
    assert told == sorted(told)
    return outcome


def test_every_line_becomes_one_event_with_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_text("".join(line(number, 500 if number % 10 == 0 else 200) for number in range(12_345)))
    outcome = run(tmp_path / "data", file)
    assert (outcome.format_name, outcome.lines, outcome.imported, outcome.malformed_count) == (
        "combined", 12_345, 12_345, 0,
    )  # fmt: skip
    events = brought(tmp_path / "data")
    assert Counter(event.status for event in events) == {200: 11_110, 500: 1_235}
    assert {(event.org, event.service, event.route, event.environment) for event in events} == {
        ("acme", "shop", "/orders/{id}", "staging")
    }
    one = next(event for event in events if event.path == "/orders/77")
    assert (one.latency_ms, one.response_bytes, one.client, one.source) == (77.0, 77, "192.0.2.77", "import")
    assert (one.region, one.cloud, one.instance) == ("eu-1", "own", "web-1")


def test_malformed_lines_are_counted_and_named_and_cost_no_good_one(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    bad = ["garbage\n", "\n", "x" * 100_000 + "\n", line(1).replace("200", "999999", 1), "\x00\xff\n"]
    file.write_bytes("".join(each for number in range(50) for each in (line(number), bad[number % 5])).encode())
    rejected: list[Malformed] = []
    outcome = run(tmp_path / "data", file, rejected, format_name="combined")
    assert (outcome.imported, outcome.malformed_count, len(outcome.malformed)) == (50, 50, 20)
    assert [each.line for each in rejected] == list(range(2, 101, 2))
    assert all(each.reason for each in rejected)
    assert len(brought(tmp_path / "data")) == 50


def test_a_file_that_has_grown_is_imported_from_there(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_text("".join(map(line, range(100))) + line(100)[:40])
    assert run(tmp_path / "data", file).imported == 100
    with file.open("a") as more:
        more.write(line(100)[40:] + line(101))
    rotated = file.rename(tmp_path / "access.log.1")
    assert run(tmp_path / "data", rotated).imported == 2
    assert run(tmp_path / "data", rotated).imported == 0
    assert sorted(event.response_bytes for event in brought(tmp_path / "data")) == list(range(102))


def test_again_from_the_beginning_doubles_nothing_that_the_bus_still_knows(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_text("".join(map(line, range(100))))
    run(tmp_path / "data", file)
    outcome = run(tmp_path / "data", file, again=True)
    assert (outcome.imported, outcome.already) == (100, 100)
    assert len(brought(tmp_path / "data")) == 100


def test_a_file_that_has_grown_loses_and_doubles_nothing_when_it_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_text("".join(map(line, range(10))))
    run(tmp_path / "data", file)
    for so_far in (10, 200):
        with file.open("a") as more:
            more.write("".join(map(line, range(so_far, so_far + 190))))
        outcome = run(tmp_path / "data", file, again=True)
        assert outcome.already == so_far
    assert sorted(event.response_bytes for event in brought(tmp_path / "data")) == list(range(390))


def test_killed_before_it_could_note_a_slice_it_finds_that_slice_again_in_a_file_that_has_grown(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_text("".join(map(line, range(10))))

    class Killed(Exception):
        pass

    class KilledBehindTheBus(EmbeddedBus):
        def append_all(self, appends: Sequence[Append]) -> list[bool]:
            super().append_all(appends)
            raise Killed

    (tmp_path / "data").mkdir()
    clock = SystemClock()
    bus, journal = KilledBehindTheBus(tmp_path / "data/bus.sqlite", clock), Journal(tmp_path / "data/imports.json")
    with closing(bus), closing(journal), pytest.raises(Killed):
        import_file(Wanted(file, ACME), bus, journal, clock, find, lambda at, _: None, lambda _: None)
    with file.open("a") as more:
        more.write("".join(map(line, range(10, 100))))
    outcome = run(tmp_path / "data", file)
    assert (outcome.imported, outcome.already) == (100, 10)
    assert sorted(event.response_bytes for event in brought(tmp_path / "data")) == list(range(100))


def test_files_that_began_with_the_same_heading_are_told_apart(tmp_path: Path) -> None:
    heading = (
        "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status\n"
    )
    row = "2025-11-21\t10:00:00\tFRA\t{}\t192.0.2.1\tGET\tshop.example\t/a\t200\n"
    files = [tmp_path / name for name in "abc"]
    for number, file in enumerate(files):
        file.write_text(heading)
        run(tmp_path / "data", file, format_name="cloudfront")
        file.write_text(heading + "".join(row.format(100 * number + at) for at in range(60)))
    for file in files:
        run(tmp_path / "data", file, format_name="cloudfront")
    found = sorted(event.response_bytes for event in brought(tmp_path / "data"))
    assert found == [100 * number + at for number in range(3) for at in range(60)]


def test_numbers_beyond_all_measure_cost_their_line_alone(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    huge = "9" * 40
    bad = [
        line(1).replace(" 200 1 ", f" 200 {huge} "),
        line(1).replace("0.001", huge * 200),
        line(1).replace("0.001", f"{huge}.0"),
    ]
    file.write_text("".join(line(number) + bad[number % 3] for number in range(30)))
    outcome = run(tmp_path / "data", file, format_name="combined")
    assert outcome.imported >= 30
    assert {event.response_bytes for event in brought(tmp_path / "data")} >= set(range(30))


def test_an_archive_is_read_as_it_is_and_a_damaged_one_up_to_there(tmp_path: Path) -> None:
    packed = gzip.compress("".join(map(line, range(20_000))).encode())
    (tmp_path / "a.log.gz").write_bytes(packed)
    assert run(tmp_path / "data", tmp_path / "a.log.gz").imported == 20_000
    (tmp_path / "b.log.gz").write_bytes(gzip.compress(b"# another\n") + packed[: len(packed) // 2])
    with pytest.raises((OSError, EOFError)):
        run(tmp_path / "other", tmp_path / "b.log.gz", format_name="combined")
    assert 0 < len(brought(tmp_path / "other")) < 20_000


def test_a_har_file_is_told_by_its_content(tmp_path: Path) -> None:
    entry = {
        "startedDateTime": "2025-11-21T10:00:00Z",
        "time": 20,
        "request": {"method": "GET", "url": "https://shop.example/a/1?b"},
        "response": {"status": 200},
    }
    file = tmp_path / "page.har"
    file.write_text(json.dumps({"log": {"version": "1.2", "entries": [entry, {}, entry]}}))
    outcome = run(tmp_path / "data", file)
    assert (outcome.format_name, outcome.imported, outcome.malformed_count) == ("har", 2, 1)


def test_a_file_of_no_known_format_is_refused_whole(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("hello\nworld\n")
    with pytest.raises(BadImport, match="no known format"):
        run(tmp_path / "data", tmp_path / "x")


def test_lines_of_the_future_are_malformed(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text(line(1) + line(2).replace("2025", "2999"))
    outcome = run(tmp_path / "data", tmp_path / "x.log")
    assert (outcome.imported, outcome.malformed_count) == (1, 1)
    assert "not in the past" in outcome.malformed[0].reason


def test_killed_at_any_moment_it_goes_on_and_no_line_is_missing_or_double(tmp_path: Path) -> None:
    file, chance = tmp_path / "access.log", random.Random(7)
    file.write_text("".join(map(line, range(60_000))))
    script = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[3]);"
        "from tests.app.importing.test_import import run; run(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "data"), str(file), str(Path(__file__).parents[3])]
    for _ in range(3):
        with subprocess.Popen(command) as process:
            journal, deadline = tmp_path / "data" / "imports.json", time.monotonic() + 30
            before = journal.read_bytes() if journal.exists() else b""
            while (journal.read_bytes() if journal.exists() else b"") == before and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
    run(tmp_path / "data", file)
    assert sorted(event.response_bytes for event in brought(tmp_path / "data")) == list(range(60_000))
