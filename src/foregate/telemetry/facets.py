"""What a window of a minute or more also knows: latency per status class, the busiest keys, how many clients.

Mergeable like the sketches beside it, and bounded: some 60 bytes of a quiet window, at most some 12 KB of one in which
all five classes were slow in many ways.
"""

from collections.abc import Mapping

import msgspec

from foregate.telemetry.heavy import HeavyHitters
from foregate.telemetry.sketch import Sketch
from foregate.telemetry.uniques import Uniques
from foregate.wire.window import StoredWindow

CLASSES = (1, 2, 3, 4, 5)  # 1xx to 5xx; a status beyond counts to the nearest
REST = 2  # the class whose latencies are what the other classes leave of the window's: the usual one takes no space
KEY_CHARS_MAX = 64  # of a key's id; what is longer is cut off


def class_of(status: int) -> int:
    """The class of a status."""
    return min(max(status // 100, CLASSES[0]), CLASSES[-1])


class _State(msgspec.Struct, array_like=True, frozen=True):
    version: int
    counts: list[int]
    latency: dict[int, bytes]
    keys: dict[str, int]
    keys_error: int
    clients: bytes


_VERSION = 1
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_State).decode


class Facets:
    """Grows by `merge`, and is then encoded into the window.

    `counts` has the requests of each of CLASSES, refused ones included. `keys` counts the requests of each key that was
    presented, `clients` the different client addresses.
    """

    __slots__ = ("_latency", "clients", "counts", "keys")

    def __init__(self) -> None:
        self.counts = [0] * len(CLASSES)
        self._latency: dict[int, Sketch] = {}  # never of REST
        self.keys = HeavyHitters()
        self.clients = Uniques()

    def latency(self, status_class: int, window: Sketch) -> Sketch:
        """The latencies of one of CLASSES; `window`: those of the whole window (its `latency`, decoded).

        Raises ValueError when they are of different windows.
        """
        if status_class != REST:
            return self._latency.get(status_class, Sketch())
        rest = Sketch(dict(window.buckets), window.sum_us)
        for other in self._latency.values():
            rest.subtract(other)
        return rest

    def add_latency(self, status_class: int, latency: Sketch) -> None:
        """Count latencies of a class; those of REST are left to the window."""
        if status_class != REST:
            self._latency.setdefault(status_class, Sketch()).merge(latency)

    def merge(self, other: "Facets") -> None:
        """Add what `other` has."""
        self.counts = [mine + more for mine, more in zip(self.counts, other.counts, strict=True)]
        for status_class, latency in other._latency.items():
            self.add_latency(status_class, latency)
        self.keys.merge(other.keys)
        self.clients.merge(other.clients)

    def encode(self) -> bytes:
        """As it is stored in `StoredWindow.facets`."""
        latency = {status_class: sketch.encode() for status_class, sketch in sorted(self._latency.items())}
        keys = dict(sorted(self.keys.counts.items()))
        return _encode(_State(_VERSION, self.counts, latency, keys, self.keys.error_max, self.clients.encode()))

    @classmethod
    def decode(cls, data: bytes) -> "Facets":
        """The inverse of `encode`; b"" has none. Raises ValueError (msgspec.DecodeError is one) on anything else."""
        made = cls()
        if not data:
            return made
        state = _decode(data)
        if state.version != _VERSION or len(state.counts) != len(CLASSES):
            raise ValueError(f"facets of version {state.version} cannot be read here")
        made.counts = state.counts
        made._latency = {status_class: Sketch.decode(sketch) for status_class, sketch in state.latency.items()}
        made.keys = HeavyHitters(state.keys, state.keys_error)
        made.clients = Uniques.decode(state.clients)
        return made


class _Counts(msgspec.Struct, array_like=True, frozen=True):
    version: int
    counts: list[int]


class _Keys(msgspec.Struct, array_like=True, frozen=True):
    version: int
    counts: list[int]
    latency: msgspec.Raw
    keys: dict[str, int]
    keys_error: int


class _Clients(msgspec.Struct, array_like=True, frozen=True):
    version: int
    counts: msgspec.Raw
    latency: msgspec.Raw
    keys: msgspec.Raw
    keys_error: int
    clients: bytes


_decode_counts = msgspec.msgpack.Decoder(_Counts).decode
_decode_keys = msgspec.msgpack.Decoder(_Keys).decode
_decode_clients = msgspec.msgpack.Decoder(_Clients).decode


def counts_of(facets: bytes) -> list[int]:
    """Requests of each of CLASSES alone, from encoded facets: a fraction of what decoding all costs."""
    return _decode_counts(facets).counts if facets else [0] * len(CLASSES)


def keys_of(facets: bytes) -> HeavyHitters:
    """The keys alone."""
    if not facets:
        return HeavyHitters()
    state = _decode_keys(facets)
    return HeavyHitters(state.keys, state.keys_error)


def clients_of(facets: bytes) -> Uniques:
    """The clients alone."""
    return Uniques.decode(_decode_clients(facets).clients) if facets else Uniques()


def facets_of(window: StoredWindow) -> Facets:
    """The facets of a stored window; none of a pane of 10 s. Raises ValueError."""
    return Facets.decode(window.facets)


def latencies_by_class(window: StoredWindow) -> Mapping[int, Sketch]:
    """Status class → its latencies, of those classes that have any. Raises ValueError."""
    whole, facets = Sketch.decode(window.latency), facets_of(window)
    found = {status_class: facets.latency(status_class, whole) for status_class in CLASSES}
    return {status_class: sketch for status_class, sketch in found.items() if sketch.buckets}
