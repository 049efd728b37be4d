"""Events by the partition of their service: several machines can then share a bus, each reading whole services."""

import msgspec

from foregate.wire import partition_of


class _Place(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The first fields of `wire.event.RequestEvent`; the rest is passed over."""

    time_s: float
    org: str
    service: str


class Part(msgspec.Struct, frozen=True):
    """A MessagePack array of `items` events."""

    items: int
    payload: bytes


_places = msgspec.msgpack.Decoder(list[_Place]).decode
_split = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.msgpack.Encoder().encode


def parted(payload: bytes, partitions: int) -> dict[int, Part]:
    """The events of a batch by partition, each in their order: always the same parts of the same batch."""
    found: dict[int, list[msgspec.Raw]] = {}
    for place, event in zip(_places(payload), _split(payload), strict=True):
        found.setdefault(partition_of(place.org, place.service, partitions), []).append(event)
    return {partition: Part(len(events), _encode(events)) for partition, events in sorted(found.items())}
