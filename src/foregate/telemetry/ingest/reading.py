"""From a whole body to items, and from items to what the bus takes."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from foregate.http1.headers import HeaderList, find
from foregate.kernel.clock import Clock
from foregate.kernel.errors import ForegateError
from foregate.telemetry.formats import Parsed, Sender
from foregate.telemetry.formats.options import Options
from foregate.telemetry.formats.reading import read
from foregate.telemetry.formats.unpack import unpack
from foregate.telemetry.ingest import grpc
from foregate.telemetry.ingest.endpoints import Endpoint
from foregate.telemetry.ingest.rounds import Part, parts_of
from foregate.wire import TOPIC_EVENTS, TOPIC_HISTORY, TOPIC_LOGS, TOPIC_POINTS, TOPIC_SPANS
from foregate.wire.accounts import KINDS, Kind
from foregate.wire.event import encode_event
from foregate.wire.ingest import IngestKey
from foregate.wire.log import encode_logs
from foregate.wire.point import encode_points
from foregate.wire.span import encode_spans

_QUICK_BYTES_MAX = 131_072  # unpacked; such a body is read in the loop, in some ms at worst, a larger one beside it
_UNPACKED_TIMES = 4  # a body may become so many times as large as it may be sent
_BATCH_ID_BYTES_MAX = 256  # a longer one is refused: cut off, two could become one
_STORED: tuple[tuple[Kind, str, Callable[[Any], bytes]], ...] = (
    ("events", TOPIC_EVENTS, encode_event),
    ("spans", TOPIC_SPANS, encode_spans),
    ("logs", TOPIC_LOGS, encode_logs),
    ("points", TOPIC_POINTS, encode_points),
)


class Understood(NamedTuple):
    """A body that was read. `once`: by what the post is known again; `parts`: its good items as the bus takes them."""

    parsed: Parsed
    once: str
    parts: Sequence[Part]


class _TooLong(Exception):
    """To be read in the loop."""


class Reader:
    """Reads bodies of at most four times `body_bytes_max` as unpacked; `options` are of all of them.

    Used by two threads at a time: the loop's, and the one for what takes long.
    """

    __slots__ = ("_batch_items", "_clock", "_options", "_unpacked_max")

    def __init__(self, options: Options, body_bytes_max: int, batch_items: int, clock: Clock) -> None:
        self._options = options
        self._batch_items = batch_items
        self._unpacked_max = body_bytes_max * _UNPACKED_TIMES
        self._clock = clock

    def quickly(
        self, endpoint: Endpoint, history: bool, key: IngestKey, headers: HeaderList, body: bytes
    ) -> Understood | None:
        """The same as `read`, or None where that could take long."""
        try:
            return self._read(endpoint, history, key, headers, body, _QUICK_BYTES_MAX)
        except _TooLong:
            return None

    def read(self, endpoint: Endpoint, history: bool, key: IngestKey, headers: HeaderList, body: bytes) -> Understood:
        """Raises ForegateError: unsupported_media_type, body_invalid, body_too_large, invalid_parameter."""
        return self._read(endpoint, history, key, headers, body, self._unpacked_max)

    def _read(
        self, endpoint: Endpoint, history: bool, key: IngestKey, headers: HeaderList, body: bytes, bytes_max: int
    ) -> Understood:
        kind, body = self._unpacked(endpoint, headers, body, bytes_max)
        sender = Sender(key.org, self._clock.now(), key.environment, key.region, key.cloud, endpoint.source)
        parsed = read(endpoint.signal, kind.decode("latin-1"), body, sender, options=self._options)
        once = batch_id_of(headers, parsed, endpoint, key)
        parts = items_of(parsed, history, key.org, self._batch_items) if parsed.items <= self._options.items_max else ()
        return Understood(parsed, once, parts)

    def _unpacked(self, endpoint: Endpoint, headers: HeaderList, body: bytes, bytes_max: int) -> tuple[bytes, bytes]:
        """Its content type, and what it is unpacked. Raises _TooLong beyond `bytes_max`, if that is not the bound."""
        kind = find(headers, b"content-type") or b"application/json"
        encoding = find(headers, b"content-encoding") or b""
        if endpoint.dialect == "grpc":
            body, packed = grpc.message_in(body)
            encoding = (find(headers, b"grpc-encoding") or b"") if packed else b""
            kind = b"application/x-protobuf"
        elif endpoint.dialect == "remote_write":
            encoding = encoding or b"snappy"
        if len(body) > bytes_max:  # what is sent is bounded by more than that, unless it is to be quick
            raise _TooLong
        if not encoding or encoding == b"identity":
            return kind, body
        try:
            return kind, unpack(body, encoding.decode("latin-1"), bytes_max)
        except ForegateError as error:
            if error.spec.code == "body_too_large" and bytes_max < self._unpacked_max:
                raise _TooLong from None
            raise


def kinds_in(parsed: Parsed) -> dict[Kind, int]:
    """How many good items of each kind there are."""
    return {kind: items for kind in KINDS if (items := len(getattr(parsed, kind)))}


def items_of(parsed: Parsed, history: bool, org: str, batch_items: int) -> Sequence[Part]:
    """The good items as the bus takes them; `history`: request events are of the past, and not late."""
    parts: list[Part] = []
    for kind, topic, encode in _STORED:
        if items := getattr(parsed, kind):
            to = TOPIC_HISTORY if history and kind == "events" else topic
            parts += parts_of(to, org, items, encode, batch_items)
    return parts


def batch_id_of(headers: HeaderList, parsed: Parsed, endpoint: Endpoint, key: IngestKey) -> str:
    """By what a post is known again: its id, with whose it is and what it holds; "" without one, and for a damaged
    body: the whole one that is sent next must not be taken for what came of this one.

    Raises ForegateError("invalid_parameter") for one that is too long.
    """
    given = find(headers, b"idempotency-key") or find(headers, b"x-batch-id") or parsed.batch_id.encode()
    if not given or parsed.damaged:
        return ""
    if len(given) > _BATCH_ID_BYTES_MAX:
        raise ForegateError("invalid_parameter", f"The id of a batch has {_BATCH_ID_BYTES_MAX} bytes at most.")
    whose = f"{key.org}\0{key.id}\0{endpoint.signal}\0".encode()
    return sha256(whose + given).hexdigest()
