"""One round of the group commit: the posts that wait → batches for the bus. Pure."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from foregate.ports.bus import Append
from foregate.wire import partition_of

BATCH_BYTES_MAX = 1_048_576  # of several items; a bus may refuse a larger batch, and with it all of its round
_FIXARRAY_MAX, _ARRAY16_MAX = 15, 65_535  # MessagePack's sizes of an array's head


class Part(NamedTuple):
    """Encoded items of one service in one topic; `chunk` is a MessagePack array without its head."""

    topic: str
    org: str
    service: str
    chunk: bytes
    items: int


class Post(NamedTuple):
    """All items of a request. With `once` they are stored only if no post with that id was. `size`: bytes of its parts.

    `settle(outcome)` is called once, in the loop's thread.
    """

    parts: Sequence[Part]
    once: str
    size: int
    settle: Callable[["Outcome"], None]


class Outcome(NamedTuple):
    """`code`: "" where the items are durable now, else why not. `fresh`: not stored before under the same id."""

    code: str
    fresh: bool = True
    detail: str = ""


def parts_of(
    topic: str, org: str, items: Sequence[Any], encode: Callable[[list[Any]], bytes], items_max: int
) -> list[Part]:
    """Items with a `service`, by it, in parts of at most `items_max`, and of `BATCH_BYTES_MAX` if they are several."""
    by_service: dict[str, list[Any]] = {}
    for item in items:
        by_service.setdefault(item.service, []).append(item)
    found: list[Part] = []
    for service, own in by_service.items():
        for first in range(0, len(own), items_max):
            for chunk, count in _chunks(own[first : first + items_max], encode):
                found.append(Part(topic, org, service, chunk, count))
    return found


def _chunks(items: list[Any], encode: Callable[[list[Any]], bytes]) -> list[tuple[bytes, int]]:
    """Encoded, in halves of halves while they are too long."""
    chunk = _headless(encode(items), len(items))
    if len(chunk) <= BATCH_BYTES_MAX or len(items) == 1:
        return [(chunk, len(items))]
    half = len(items) // 2
    return _chunks(items[:half], encode) + _chunks(items[half:], encode)


class Producer:
    """Under which name and number batches without an id are stored: the name is this process's alone."""

    __slots__ = ("_name", "_sequence")

    def __init__(self, name: str) -> None:
        self._name = name
        self._sequence = 0

    def append(self, place: tuple[str, int], parts: Sequence[Part], once: str = "") -> Append:
        """One batch of these parts."""
        self._sequence += 1
        items = sum([part.items for part in parts])
        payload = b"".join([_array_head(items), *[part.chunk for part in parts]])
        return Append(place[0], place[1], payload, items, self._name, self._sequence, once)


def appends_of(
    posts: Sequence[Post], partitions: int, items_max: int, producer: Producer
) -> tuple[list[Append], list[int]]:
    """What to append for these posts; and for each post which of the appends tells whether it was new (-1: it is).

    Small posts without an id share batches of at most `items_max` and `BATCH_BYTES_MAX`. No two of `posts` have the
    same id.
    """
    appends: list[Append] = []
    told: list[int] = []
    waiting: dict[tuple[str, int], list[Part]] = {}
    sizes: dict[tuple[str, int], tuple[int, int]] = {}  # items, bytes
    for post in posts:
        told.append(len(appends) if post.once and post.parts else -1)
        for part in post.parts:
            place = part.topic, partition_of(part.org, part.service, partitions)
            if post.once:
                appends.append(producer.append(place, [part], post.once))
                continue
            items, size = sizes.get(place, (0, 0))
            if items and (items + part.items > items_max or size + len(part.chunk) > BATCH_BYTES_MAX):
                appends.append(producer.append(place, waiting.pop(place)))
                items = size = 0
            waiting.setdefault(place, []).append(part)
            sizes[place] = items + part.items, size + len(part.chunk)
    appends += [producer.append(place, parts) for place, parts in waiting.items()]
    return appends, told


def _array_head(items: int) -> bytes:
    if items <= _FIXARRAY_MAX:
        return bytes((0x90 | items,))
    if items <= _ARRAY16_MAX:
        return b"\xdc" + items.to_bytes(2, "big")
    return b"\xdd" + items.to_bytes(4, "big")


def _headless(array: bytes, items: int) -> bytes:
    return array[len(_array_head(items)) :]
