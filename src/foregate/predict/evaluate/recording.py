"""A run as the analyst saw it: the closed minutes and the ticks, every 10 s, and the faults that were in it."""

from typing import NamedTuple

import msgspec

from foregate.wire.entity import Entity
from foregate.wire.window import Tick, WindowStats


class FaultNote(msgspec.Struct, array_like=True, frozen=True):
    """A fault of the run, for telling causes apart in the results; no feature ever sees it."""

    kind: str
    service: str
    start_s: float  # Unix seconds
    duration_s: float
    severity: float
    heals: bool
    benign: bool


class Moment(NamedTuple):
    """One judgement: `minutes` that closed since the last one, then the ticks at `time_s`."""

    time_s: float
    minutes: list[tuple[Entity, WindowStats]]
    ticks: list[Tick]


class Recording(msgspec.Struct, array_like=True, frozen=True):
    """A run of `duration_s` from `epoch_s` (Unix seconds), its moments in order."""

    name: str
    epoch_s: float
    duration_s: float
    faults: tuple[FaultNote, ...]
    moments: list[Moment]


encode_recording = msgspec.msgpack.Encoder().encode
decode_recording = msgspec.msgpack.Decoder(Recording).decode
