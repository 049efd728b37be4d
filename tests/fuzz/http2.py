"""Mutated frames of HTTP/2 through the whole gateway: no crash, no hang, no leak, and only plain requests go on.

As with HTTP/1.1 there are no sockets and no loop; the upstreams read what reaches them with the oracle, which calls
anything but plain HTTP/1.1 ambiguous. What the client is told is read here by RFC 9113 alone.
"""

from __future__ import annotations

import functools
import gc
import random
from typing import Any, NamedTuple

from tests.fuzz.gateway_rig import GatewayRig
from tests.fuzz.http2_frames import DATA, END_STREAM, GOAWAY, HEADERS, RST_STREAM, conversation, encoded
from tests.fuzz.judge import Finding
from tests.fuzz.rig import Wire

from foregate.http2.server import Http2Connection, take_over


class Outcome(NamedTuple):
    """Frames that were sent, requests that reached an upstream, and whether the connection was ended."""

    frames: int
    reached: int
    refused: bool


class _Wire(Wire):
    """One whose protocol may change."""

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    @property
    def protocol(self) -> Any:
        return self._protocol


class Http2Rig(GatewayRig):
    """A client connection that begins with the preface."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.server.context.http2 = functools.partial(take_over, soon=self.loop.append)
        self.server.transport = self.wire = _Wire(self.loop, self.server, self._answered)  # type: ignore[assignment]
        self.refused = 0
        self.server.context.refused = self._refused

    def _refused(self, code: str) -> None:
        self.refused += 1

    @property
    def spoken(self) -> Any:
        """Who hears of the transport now."""
        return self.wire.protocol  # type: ignore[attr-defined]

    def send(self, data: bytes) -> None:
        if not self.wire.closed:
            self.spoken.data_received(data)
        if self.rng.randrange(3):
            self.run()
        if not self.rng.randrange(32) and not self.wire.closed:
            self.spoken.pause_writing()
            self.run()
            if not self.wire.closed:
                self.spoken.resume_writing()


def case(seed: int) -> Outcome:
    """Raises Finding."""
    rng = random.Random(seed)
    frames, plain = conversation(rng)
    data = encoded(rng, frames, plain=plain)
    rig = Http2Rig(rng)
    try:
        cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(5)))
        for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
            if start < stop:
                rig.send(data[start:stop])
        rig.run()
        _no_hang(rig)
        ended = _read(rig.answers)
        if plain:
            asked = {frame.stream for frame in frames if frame.stream}
            assert ended == asked, f"answered {sorted(ended)} of {sorted(asked)}"
            assert not rig.wire.closed, "a plain conversation was ended"
        refused = rig.wire.closed or rig.refused > 0
        if not rig.wire.closed:
            rig.spoken.connection_lost(None)
        rig.run()
        assert not getattr(rig.spoken, "exchanges", None), "exchanges outlived their connection"
        for upstream in rig.upstreams:
            assert upstream.wire.closed or upstream.connection.usable, "an upstream connection was left in use"
    except Exception as error:
        raise Finding(f"seed {seed}: {type(error).__name__}: {error}\n{data!r}") from error
    return Outcome(len(frames), len(rig.reaching), refused)


def _no_hang(rig: Http2Rig) -> None:
    """All that has come whole is answered, as far as the client takes it."""
    spoken = rig.spoken
    if isinstance(spoken, Http2Connection) and not rig.wire.closed:
        for exchange in spoken.exchanges.values():
            assert not exchange.complete or exchange.answered or exchange.full, f"hangs: stream {exchange.stream}"


def _read(answers: bytes) -> set[int]:
    """The streams that are over: answered, or reset (an upstream of the rig may die).

    The frames must be whole, in their order, and none after the end.
    """
    ended: set[int] = set()
    begun: set[int] = set()
    reset: set[int] = set()
    at, over = 0, False
    if answers.startswith(b"HTTP/1.1"):
        return ended  # the preface was spoilt
    while at < len(answers):
        assert len(answers) - at >= 9, "half a frame"
        size, kind, flags = int.from_bytes(answers[at : at + 3]), answers[at + 3], answers[at + 4]
        stream = int.from_bytes(answers[at + 5 : at + 9])
        at += 9 + size
        assert at <= len(answers), "a frame was cut off"
        assert not over, "something after the last GOAWAY"
        if kind in (HEADERS, DATA):
            assert stream not in ended, "something after the end of a stream"
            assert stream not in reset, "something after a reset"
            assert kind == HEADERS or stream in begun, "a body before its head"
            begun.add(stream)
            if flags & END_STREAM:
                ended.add(stream)
        elif kind == RST_STREAM:
            reset.add(stream)
        elif kind == GOAWAY:
            over = int.from_bytes(answers[at - size + 4 : at - size + 8]) != 0
    return ended | reset


def alive() -> int:
    """How many connections there are."""
    gc.collect()
    return sum(isinstance(each, Http2Connection) for each in gc.get_objects())
