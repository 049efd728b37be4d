"""What is void: bounded, shared by processes, and on the safe side whatever is lost."""

import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ports.cache_world import key

from foregate.adapters.embedded.cache.invalidation import Invalidation, Names
from foregate.ports.cache import Key, Moment

ROOT = Path(__file__).parents[3]
BUSY_AT = 5 * 8
PURGES_MAX = 64


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "purges.bin"


@pytest.fixture
def void(path: Path) -> Iterator[Invalidation]:
    made = Invalidation(path, PURGES_MAX)
    yield made
    made.close()


def gone(void: Invalidation, since: int, *tags: str, one: Key | None = None) -> bool:
    return void.purged(Names(one or key(), tags), since)


def test_purges_of_two_processes_at_once_are_all_seen_by_a_third(path: Path) -> None:
    void = Invalidation(path)
    command = [sys.executable, "-m", "tests.adapters.cache.peer", "purge", str(path.parent), "200"]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert void.purges == 400
    assert all(gone(void, 0, f"tag-{number}") for number in range(200))
    assert not gone(void, 0, "tag-200")
    assert not gone(void, void.generation[0], "tag-1")
    void.close()


def test_purging_the_same_thing_for_ever_voids_nothing_else(void: Invalidation) -> None:
    for number in range(10 * PURGES_MAX):
        void.purge("tag", f"t{number % 3}", None)
    assert gone(void, 0, "t0")
    assert not gone(void, 0, "other")
    latest = void.generation[0]
    assert not gone(void, latest, "t0", "t1", "t2")
    void.purge("tag", "t1", None)
    assert gone(void, latest, "t1")
    assert not gone(void, latest, "t0")


def test_more_purges_than_the_log_holds_void_what_is_older_and_nothing_newer(void: Invalidation) -> None:
    for number in range(PURGES_MAX):
        void.purge("tag", f"t{number}", None)
    moment = void.generation[0]
    assert not gone(void, moment - 10, "untouched")
    void.purge("tag", "one more", None)
    assert gone(void, 0, "untouched")  # the oldest purges are forgotten: what is older than they may be void
    assert not gone(void, moment, "untouched")
    assert gone(void, moment, "one more")
    assert gone(void, moment - 5, f"t{PURGES_MAX - 1}")


def test_a_worker_that_was_away_while_room_was_made_reads_the_log_again(void: Invalidation, path: Path) -> None:
    reader = Invalidation(path, PURGES_MAX)
    void.purge("tag", "early", None)
    assert gone(reader, 0, "early")
    for number in range(5 * PURGES_MAX):
        void.purge("tag", f"t{number % 20}", None)
    assert gone(reader, 0, "early")
    assert gone(reader, 0, "t7")
    assert not gone(reader, reader.generation[0], "t7")
    reader.close()


def test_a_writer_that_was_killed_while_it_made_room_voids_all_that_was_before(void: Invalidation, path: Path) -> None:
    void.purge("tag", "t", None)
    with path.open("r+b") as file:
        file.seek(BUSY_AT)
        file.write(struct.pack("<Q", 1))
    assert gone(void, void.generation[0], "untouched")
    successor = Invalidation(path, PURGES_MAX)
    born = successor.generation[0]
    assert gone(successor, born - 1, "untouched")
    assert not gone(successor, born, "untouched")
    successor.purge("tag", "t", None)
    assert gone(void, born, "t")
    assert not gone(void, born, "untouched")
    successor.close()


def test_a_damaged_file_is_begun_anew_under_another_epoch(void: Invalidation, path: Path) -> None:
    path.write_bytes(b"nonsense")
    successor = Invalidation(path, PURGES_MAX)
    assert successor.epoch != void.epoch
    successor.close()


PARTS = st.sampled_from(["/", "a", "b", "?", "x=1", "é", "."])
URLS = st.lists(PARTS, max_size=6).map(lambda parts: "/" + "".join(parts))
HOSTS = st.sampled_from(["api.test", "api.test:8080", "a"])
ORGS = st.sampled_from(["acme", "globex", ""])


@settings(derandomize=True, max_examples=100, deadline=None)
@given(
    purged=st.lists(
        st.tuples(st.sampled_from(["url", "prefix", "tag"]), URLS, HOSTS, st.booleans(), ORGS), min_size=1, max_size=5
    ),
    asked=st.lists(st.tuples(URLS, HOSTS, ORGS, st.lists(URLS, max_size=2)), min_size=1, max_size=5),
)
def test_it_voids_what_a_comparison_of_texts_says(
    tmp_path_factory: pytest.TempPathFactory,
    purged: list[tuple[str, str, str, bool, str]],
    asked: list[tuple[str, str, str, list[str]]],
) -> None:
    void = Invalidation(tmp_path_factory.mktemp("void") / "purges.bin")
    for kind, url, host, hosted, org in purged:
        pattern = host + url if hosted and kind != "tag" else url
        void.purge(kind, pattern, org or None)  # type: ignore[arg-type]
    for url, host, org, tags in asked:
        expected = False
        for kind, pattern, named, hosted, scope in purged:
            if scope and scope != org:
                continue
            if kind == "tag":
                expected |= pattern in tags
                continue
            whole, text = (host + url, named + pattern) if hosted else (url, pattern)
            expected |= whole.startswith(text) if kind == "prefix" else whole == text
        assert gone(void, 0, *tags, one=Key(b"k", org, host.encode(), url.encode())) == expected
    void.close()


def test_a_write_voids_its_own_url_of_its_own_organisation(void: Invalidation) -> None:
    mine, others = key("/a"), (key("/b"), key("/a", org="globex"), key("/a", host="other.test"))
    before = [void.moment(each) for each in (mine, *others)]
    void.touch(mine)
    assert void.moment(mine) != before[0]
    assert [void.moment(each) for each in others] == before[1:]


def test_a_write_that_is_held_up_brings_nothing_back_that_others_have_voided(void: Invalidation, path: Path) -> None:
    """It goes on after two writes of another process, with what it had read before them."""
    other, mine = Invalidation(path, PURGES_MAX), key("/a")
    asked: list[Moment] = []

    class HeldUp:
        def __getitem__(self, cell: int) -> int:
            return other.cells[cell]

        def __setitem__(self, cell: int, mark: int) -> None:
            other.touch(mine)
            asked.append(other.moment(mine))
            other.touch(mine)
            other.cells[cell] = mark

    cells, void.cells = void.cells, cast(Any, HeldUp())
    void.touch(mine)
    void.cells = cells
    assert void.moment(mine) not in asked
    other.close()
