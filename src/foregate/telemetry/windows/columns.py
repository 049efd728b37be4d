"""A micro-batch of events as columns: one array per number, integer codes in place of names.

What `fold` needs of each event and no more. Codes are of this batch alone: nothing grows with the days.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from foregate.kernel.errors import ERRORS
from foregate.telemetry.facets import KEY_CHARS_MAX
from foregate.telemetry.uniques import hash_of
from foregate.telemetry.windows.models import model_columns
from foregate.wire.event import RequestEvent

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

EntityKey = tuple[str, str, str, str]  # org, service, route, environment

BROKE, CLIENTS_FAULT, TIMED_OUT = 1, 2, 4  # bits of Columns.error; 0: no error
_TOO_LARGE = -1  # in place of an integer that no column can hold; it makes the event invalid like any other below 0
_INT_MAX = 1 << 62
_HASHES_MAX = 100_000  # of client addresses that are remembered; beyond it they begin anew


class Columns(NamedTuple):
    """Arrays of the same length, in the order of the events. Times as in `RequestEvent`."""

    time_s: Floats
    latency_ms: Floats
    upstream_ms: Floats
    status: Ints
    attempts: Ints
    inflight: Ints
    request_bytes: Ints
    response_bytes: Ints
    limited: Flags  # refused by a limit of ours
    broken: Flags  # refused by an open circuit
    error: Ints  # bits
    entity: Ints  # indexes into `entities`
    key: Ints  # indexes into `keys`; 0: none was presented
    client: Ints  # `uniques.hash_of` the address; -1: none is known
    waited_ms: Floats
    model: Ints  # (events, numbers of `models.ModelNumbers`)
    entities: list[EntityKey]
    keys: list[str]

    @property
    def events(self) -> int:
        """How many."""
        return len(self.time_s)

    def at(self, places: Ints) -> "Columns":
        """The events at these places, in this order."""
        return Columns._make([*(column[places] for column in self[:-2]), self.entities, self.keys])


_ENTITY = attrgetter("org", "service", "route", "environment")


class Encoder:
    """Makes columns; remembers only the hashes of clients."""

    def __init__(self) -> None:
        self._hashes: dict[str, int] = {"": -1}

    def columns(self, events: Sequence[RequestEvent]) -> Columns:
        """Of any events whatever: numbers that no column can hold become ones that are invalid."""
        if len(self._hashes) > _HASHES_MAX:
            self._hashes = {"": -1}
        entity, entities = _coded(list(map(_ENTITY, events)))
        key, keys = _coded([event.key_id[:KEY_CHARS_MAX] for event in events], "")
        client, clients = _coded([event.client for event in events])
        error, errors = _coded([event.error for event in events])
        return Columns(
            _floats([event.time_s for event in events]),
            _floats([event.latency_ms for event in events]),
            _floats([event.upstream_ms for event in events]),
            _integers([event.status for event in events]),
            _integers([event.attempts for event in events]),
            _integers([event.inflight for event in events]),
            _integers([event.request_bytes for event in events]),
            _integers([event.response_bytes for event in events]),
            np.array([event.limit == "refused" for event in events], np.bool_),
            np.array([event.breaker == "open" for event in events], np.bool_),
            _looked_up(errors, _error_bits)[error],
            entity,
            key,
            _looked_up(clients, self._hash_of)[client],
            _floats([event.waited_ms for event in events]),
            model_columns(events),
            entities,
            keys,
        )

    def _hash_of(self, client: str) -> int:
        known = self._hashes.get(client)
        if known is None:
            known = self._hashes[client] = hash_of(client)
        return known


def _coded(names: Sequence[Any], *first: Any) -> tuple[Ints, list[Any]]:
    """For each name its place in the list of different ones, in the order of their coming after `first`."""
    places = {name: at for at, name in enumerate(dict.fromkeys(chain(first, names)))}
    return np.fromiter(map(places.__getitem__, names), np.int64, len(names)), list(places)


def _looked_up(names: Sequence[str], of: Callable[[str], int]) -> Ints:
    return np.array([of(name) for name in names], np.int64)


def _error_bits(error: str) -> int:
    if not error:
        return 0
    spec = ERRORS.get(error)
    clients = CLIENTS_FAULT if spec is not None and spec.fault == "client" else 0
    return BROKE | clients | (TIMED_OUT if error == "upstream_timeout" else 0)


def _floats(values: list[float]) -> Floats:
    return np.array(values, np.float64)


def _integers(values: list[int]) -> Ints:
    try:
        return np.array(values, np.int64)
    except OverflowError:
        return np.array([one if abs(one) < _INT_MAX else _TOO_LARGE for one in values], np.int64)
