"""The cache: one suite for memory alone and for memory in front of a disk."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.ports.cache_world import MEMORY_BYTES, NOW_S, ON_DISK, SETTINGS, Worker, answer, key

from foregate.adapters.embedded.cache import open_purger
from foregate.ports.cache import PRIMARY_BYTES_MAX, TAGS_MAX, VARY_SETS_MAX, Absent, Key, Stored

Scenario = Callable[[Worker, Worker], Coroutine[Any, Any, None]]
ENCODING = (b"accept-encoding",)


@pytest.fixture(params=["memory", "disk"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Scenario], None]:
    """Plays a scenario on two workers of a machine; the first one does most of it."""
    settings = ON_DISK if request.param == "disk" else SETTINGS

    async def played(scenario: Scenario) -> None:
        workers = Worker(tmp_path, 0, settings), Worker(tmp_path, 1, settings)
        try:
            await scenario(*workers)
        finally:
            for worker in workers:
                worker.store.close()

    return lambda scenario: asyncio.run(played(scenario))


def stored(found: Stored | Absent) -> Stored:
    assert isinstance(found, Stored)
    return found


def test_what_is_put_is_found_as_it_was(run: Any) -> None:
    async def scenario(worker: Worker, _: Worker) -> None:
        put = answer(b"a body", stale_until_s=NOW_S + 90, error_until_s=NOW_S + 99, tags=("x",), facts={"etag": "1"})
        assert await worker.find(key()) is Absent.URI
        assert worker.put(key(), put)
        assert stored(await worker.find(key())) == put
        assert await worker.find(key("/b")) is Absent.URI

    run(scenario)


def test_a_newer_answer_takes_the_place_of_the_former_one(run: Any) -> None:
    async def scenario(worker: Worker, _: Worker) -> None:
        for body in (b"one", b"two", b"three"):
            assert worker.put(key(), answer(body))
            assert await worker.body(key()) == body
        assert worker.store.stats().memory_objects == 1

    run(scenario)


def test_a_stale_answer_is_still_found(run: Any) -> None:
    async def scenario(worker: Worker, _: Worker) -> None:
        worker.put(key(), answer(b"old", fresh_s=1.0))
        assert await worker.body(key(), now_s=NOW_S + 3600) == b"old"

    run(scenario)


def test_vary_keeps_variants_apart(run: Any) -> None:
    async def scenario(worker: Worker, _: Worker) -> None:
        for coding in (b"gzip", b"br"):
            worker.put(key(), answer(coding, vary=ENCODING, variant=coding))
        asked: list[tuple[bytes, ...]] = []
        for coding in (b"gzip", b"br"):

            def select(names: tuple[bytes, ...], coding: bytes = coding) -> bytes:
                asked.append(names)
                return coding

            assert await worker.body(key(), select) == coding
        assert set(asked) == {ENCODING}
        assert await worker.find(key(), lambda _: b"zstd") is Absent.VARIANT

    run(scenario)


def test_an_answer_without_vary_stays_one_when_another_varies(run: Any) -> None:
    async def scenario(worker: Worker, _: Worker) -> None:
        worker.put(key(), answer(b"plain"))
        worker.put(key(), answer(b"zipped", vary=ENCODING, variant=b"gzip"))
        assert await worker.body(key(), lambda _: b"gzip") == b"zipped"
        assert await worker.body(key(), lambda _: b"") == b"plain"
        worker.put(key(), answer(b"newer plain"))
        assert await worker.body(key(), lambda _: b"gzip") == b"newer plain"  # the newest that suits

    run(scenario)


def test_of_many_different_vary_the_newest_are_kept(run: Any) -> None:
    async def scenario(worker: Worker, _: Worker) -> None:
        names = [f"x-{number}".encode() for number in range(VARY_SETS_MAX + 1)]
        for name in names:
            worker.put(key(), answer(name, vary=(name,), variant=b"v"))
        assert await worker.body(key(), lambda asked: b"v" if asked == (names[-1],) else b"") == names[-1]
        assert await worker.body(key(), lambda asked: b"v" if asked == (names[1],) else b"") == names[1]
        assert await worker.find(key(), lambda asked: b"v" if asked == (names[0],) else b"") is Absent.VARIANT

    run(scenario)


def test_no_primary_key_is_taken_for_a_variant_of_another(run: Any) -> None:
    async def scenario(worker: Worker, _: Worker) -> None:
        worker.put(key(), answer(b"secret", vary=ENCODING, variant=b"gzip"))
        for forged in (b"\0gzip", b"\0accept-encoding\0gzip", b"gzip"):
            other = Key(key().primary + forged, "evil", b"api.test", b"/a")
            assert await worker.find(other, lambda _: b"gzip") is Absent.URI

    run(scenario)


@pytest.mark.parametrize("said", [None, 50_000])
def test_a_body_that_comes_in_pieces_is_found_whole_and_only_when_committed(run: Any, said: int | None) -> None:
    async def scenario(worker: Worker, _: Worker) -> None:
        writer = worker.store.begin(key(), worker.store.moment(key()), answer(b""), said)
        assert writer is not None
        for _ in range(10):
            assert writer.append(b"12345" * 1000)
            assert await worker.find(key()) is Absent.URI
        assert writer.commit()
        assert await worker.body(key()) == b"12345" * 10_000
        assert not writer.append(b"late")
        assert not writer.commit()

    run(scenario)


def test_what_is_discarded_or_of_another_length_is_not_stored(run: Any) -> None:
    async def scenario(worker: Worker, _: Worker) -> None:
        moment = worker.store.moment(key())
        discarded = worker.store.begin(key(), moment, answer(b""))
        short = worker.store.begin(key(), moment, answer(b""), 100)
        assert discarded is not None
        assert short is not None
        assert discarded.append(b"12345")
        discarded.discard()
        assert short.append(b"x" * 99)
        assert not short.commit()
        assert await worker.find(key()) is Absent.URI
        assert worker.store.filling_bytes == 0

    run(scenario)


def test_a_refresh_puts_a_new_head_before_the_old_body(run: Any) -> None:
    async def scenario(worker: Worker, _: Worker) -> None:
        worker.put(key(), answer(b"body", fresh_s=1.0))
        old = stored(await worker.find(key()))
        old.prepared = object()
        head = Stored(200, [(b"x-new", b"1")], NOW_S + 5, NOW_S + 5, NOW_S + 65)
        fresh = worker.store.refresh(key(), worker.store.moment(key()), old, head)
        found = stored(await worker.find(key(), now_s=NOW_S + 10))
        assert found == fresh
        assert (found.headers, found.body, found.prepared) == ([(b"x-new", b"1")], b"body", None)

    run(scenario)


def test_memory_stays_within_its_bound_whatever_is_put(run: Any) -> None:
    async def scenario(worker: Worker, _: Worker) -> None:
        for number in range(2_000):
            worker.put(key(f"/{number}"), answer(b"x" * (number * 37 % 4_000)))
            assert worker.store.stats().memory_bytes <= MEMORY_BYTES
        stats = worker.store.stats()
        assert stats.memory_objects > 100
        assert stats.memory_evicted + stats.memory_objects == 2_000

    run(scenario)


def test_bodies_that_are_coming_in_are_bounded_too(run: Any) -> None:
    async def scenario(worker: Worker, _: Worker) -> None:
        taken = []
        for number in range(20):
            one = key(f"/{number}")
            writer = worker.store.begin(one, worker.store.moment(one), answer(b""))
            assert writer is not None
            taken.append(writer.append(b"x" * 90_000))
            assert worker.store.stats().memory_bytes <= MEMORY_BYTES
        assert taken.count(True) == MEMORY_BYTES // 2 // 90_000
        assert worker.store.stats().not_stored == taken.count(False)

    run(scenario)


def test_what_is_too_large_or_has_too_much_to_it_is_not_stored(run: Any) -> None:
    async def scenario(worker: Worker, _: Worker) -> None:
        long = Key(b"x" * (PRIMARY_BYTES_MAX + 1), "acme", b"h", b"/")
        assert not worker.put(long, answer())
        assert not worker.put(key(), answer(tags=("t",) * (TAGS_MAX + 1)))
        assert worker.store.begin(key(), worker.store.moment(key()), answer(b""), 8 * MEMORY_BYTES + 1) is None
        assert await worker.find(key()) is Absent.URI
        assert worker.store.stats().not_stored == 3

    run(scenario)


def test_a_delete_voids_all_of_its_url_in_all_workers_and_nothing_else(run: Any) -> None:
    async def scenario(worker: Worker, other: Worker) -> None:
        mine, variant, elsewhere, foreign = key(), key(extra="key-2"), key("/b"), key(org="globex")
        for one in (mine, variant, elsewhere, foreign):
            worker.put(one, answer())
            other.put(one, answer())
        other.store.delete(mine)
        for each in (worker, other):
            assert await each.find(mine) is Absent.URI
            assert await each.find(variant) is Absent.URI
            assert await each.body(elsewhere) == b"hello"
            assert await each.body(foreign) == b"hello"
        worker.put(mine, answer(b"new"))
        assert await worker.body(mine) == b"new"

    run(scenario)


def test_an_answer_that_was_asked_for_before_a_delete_or_a_purge_is_void_when_it_comes(run: Any) -> None:
    async def scenario(worker: Worker, other: Worker) -> None:
        for void in (lambda: other.store.delete(key()), lambda: other.store.purge("url", "/a")):
            moment = worker.store.moment(key())
            void()
            worker.put(key(), answer(b"before"), moment)
            assert await worker.find(key()) is Absent.URI

    run(scenario)


@pytest.mark.parametrize(
    ("kind", "pattern", "org", "gone"),
    [
        ("url", "/a/1?x=2", None, {"/a/1?x=2"}),
        ("url", "/a/1", None, {"/a/1"}),
        ("url", "https://API.test/a/1", None, {"/a/1"}),
        ("url", "api.test/a/1", "acme", {"/a/1"}),
        ("url", "other.test/a/1", None, set()),
        ("url", "/a/1", "globex", set()),
        ("url", "/a/", None, set()),
        ("prefix", "/a/", None, {"/a/1", "/a/1?x=2", "/a/2"}),
        ("prefix", "api.test/a/1", None, {"/a/1", "/a/1?x=2"}),
        ("prefix", "/", "acme", {"/a/1", "/a/1?x=2", "/a/2", "/b"}),
        ("prefix", "other.test", None, set()),
        ("tag", "even", None, {"/a/2", "/b"}),
        ("tag", "eve", None, set()),
        ("tag", "even", "globex", set()),
    ],
)
def test_a_purge_reaches_what_it_names_in_all_workers_with_the_next_request(
    run: Any, tmp_path: Path, kind: Any, pattern: str, org: str | None, gone: set[str]
) -> None:
    tags = {"/a/1": ("odd",), "/a/1?x=2": ("odd",), "/a/2": ("even",), "/b": ("even", "last")}

    async def scenario(worker: Worker, other: Worker) -> None:
        for each in (worker, other):
            for url, marks in tags.items():
                each.put(key(url), answer(tags=marks))
        purger = open_purger(tmp_path)
        purger.purge(kind, pattern, org)
        purger.close()
        for each in (worker, other):
            assert {url for url in tags if await each.body(key(url)) is None} == gone
        for each in (worker, other):
            for url in gone:
                each.put(key(url), answer(b"new", tags=tags[url]))
            assert [url for url in tags if await each.body(key(url)) is None] == []

    run(scenario)


def test_what_is_public_goes_with_a_purge_of_all_organisations_alone(run: Any) -> None:
    async def scenario(worker: Worker, _: Worker) -> None:
        public = key(org="")
        worker.put(public, answer())
        worker.store.purge("prefix", "/", "acme")
        assert await worker.body(public) == b"hello"
        worker.store.purge("prefix", "/")
        assert await worker.find(public) is Absent.URI

    run(scenario)


def test_a_purge_names_something(run: Any) -> None:
    async def scenario(worker: Worker, _: Worker) -> None:
        for pattern in ("", "/" + "x" * 10_000):
            with pytest.raises(ValueError, match="1 to"):
                worker.store.purge("prefix", pattern)

    run(scenario)
