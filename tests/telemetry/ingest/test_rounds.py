"""Posts become batches: every item once, small posts together, those with an id alone."""

from collections import defaultdict

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from foregate.telemetry.ingest.rounds import BATCH_BYTES_MAX, Outcome, Post, Producer, appends_of, parts_of
from foregate.wire import partition_of

PARTITIONS = 4


class Item(msgspec.Struct, array_like=True, frozen=True):
    service: str
    number: int


encode = msgspec.msgpack.encode
decode = msgspec.msgpack.Decoder(list[Item]).decode
posts_of_services = st.lists(
    st.tuples(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=40), st.booleans()), max_size=20
)


def post(services: list[str], first: int, once: str, items_max: int) -> Post:
    items = [Item(service, first + at) for at, service in enumerate(services)]
    parts = parts_of("events", "org", items, encode, items_max)
    return Post(parts, once, 0, lambda outcome: None)


@given(posts_of_services, st.integers(1, 30))
def test_every_item_is_in_one_batch_of_its_partition_in_the_order_of_its_service(
    given_posts: list[tuple[list[str], bool]], items_max: int
) -> None:
    posts, expected, number = [], [], 0
    for at, (services, has_id) in enumerate(given_posts):
        posts.append(post(services, number, f"id {at}" if has_id else "", items_max))
        expected += [Item(service, number + nth) for nth, service in enumerate(services)]
        number += len(services)
    appends, told = appends_of(posts, PARTITIONS, items_max, Producer("p"))

    found: dict[str, list[int]] = defaultdict(list)
    for append in appends:
        items = decode(append.payload)
        assert len(items) == append.items
        assert 0 < append.items <= items_max
        for one in items:
            assert append.partition == partition_of("org", one.service, PARTITIONS)
            found[one.service].append(one.number)
    assert sorted(number for numbers in found.values() for number in numbers) == [one.number for one in expected]
    assert [append.sequence for append in appends] == sorted({append.sequence for append in appends})
    for one, at in zip(posts, told, strict=True):
        own = [append for append in appends if one.once and append.once == one.once]
        assert (at >= 0) == bool(own)
        assert sum(append.items for append in own) == (sum(part.items for part in one.parts) if one.once else 0)


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c"]), max_size=40), max_size=20))
def test_without_ids_the_items_of_a_service_keep_their_order(given_posts: list[list[str]]) -> None:
    posts, number = [], 0
    for services in given_posts:
        posts.append(post(services, number, "", 10))
        number += len(services)
    appends, _ = appends_of(posts, PARTITIONS, 10, Producer("p"))
    found: dict[str, list[int]] = defaultdict(list)
    for append in sorted(appends, key=lambda one: one.sequence):
        for one in decode(append.payload):
            found[one.service].append(one.number)
    assert all(numbers == sorted(numbers) for numbers in found.values())


def test_posts_of_one_item_share_one_batch() -> None:
    appends, _ = appends_of([post(["a"], at, "", 500) for at in range(300)], PARTITIONS, 500, Producer("p"))
    assert [append.items for append in appends] == [300]


def test_an_outcome_is_of_success_unless_it_has_a_code() -> None:
    assert Outcome("").fresh


def test_long_items_make_short_batches() -> None:
    services = ["x" * 100_000] * 30  # 3 MB of one service
    posts = [post(services, 0, "", 500), post(["y" * 900_000], 30, "", 500), post(services, 31, "an id", 500)]
    appends, told = appends_of(posts, 1, 500, Producer("p"))
    assert all(len(append.payload) < BATCH_BYTES_MAX + 100 for append in appends)
    assert sorted(one.number for append in appends for one in decode(append.payload)) == list(range(61))
    assert {append.once for append in appends[: told[2]]} == {""}
    alone = parts_of("events", "org", [Item("z" * 2 * BATCH_BYTES_MAX, 7)], encode, 500)
    assert [part.items for part in alone] == [1]  # a single one goes as it is
