"""Mutated WebSocket frames through the relay: what either side is sent is judged by a reading of the RFC of its own."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.fuzz.judge import Finding
from tests.websocket.making import Seen, expected, ordinary_frames, pieces, random_frame

from foregate.websocket import Relay

_KEPT_BYTES_MAX = 131  # a masked control frame
_MASK = b"\x0a\x0b\x0c\x0d"
_BOUNDS = ((1 << 24, 1 << 24), (1 << 24, 1 << 24), (1 << 24, 1 << 24), (70_000, 100_000), (1_000, 1_200), (125, 125))


def case(seed: int) -> tuple[int, int, bool]:
    """(frames sent before they were mutated, messages passed on, whether anything was refused). Raises Finding."""
    rng = random.Random(seed)
    frame_max, message_max = rng.choice(_BOUNDS)
    deflate = rng.random() < 0.5
    relay = Relay(deflate=deflate, frame_bytes_max=frame_max, message_bytes_max=message_max, mask=lambda: _MASK)
    sent = {masked: _stream(rng, masked) for masked in (True, False)}
    data = {masked: _mutated(rng, b"".join(frames)) for masked, frames in sent.items()}
    try:
        received, disturbed = _converse(rng, relay, data)
    except Exception as error:
        raise Finding(f"seed {seed}: {type(error).__name__}: {error}") from error
    for masked in (True, False):
        _judge(seed, received[masked], masked, deflate)
        side = relay.client if masked else relay.upstream
        if len(side.reader._kept) > _KEPT_BYTES_MAX:
            raise Finding(f"seed {seed}: {len(side.reader._kept)} bytes were kept")
    if not disturbed:
        wanted = {
            masked: expected(data[masked], masked=masked, deflate=deflate, frame_max=frame_max, message_max=message_max)
            for masked in (True, False)
        }
        _compare(seed, received, wanted)
    readers = relay.client.reader, relay.upstream.reader
    refused = any(reader.malformed is not None for reader in readers)
    return sum(map(len, sent.values())), sum(reader.messages for reader in readers), refused


def _stream(rng: random.Random, masked: bool) -> list[bytes]:
    if rng.random() < 0.7:
        return ordinary_frames(rng, masked, rng.randint(4, 16))
    return [random_frame(rng, masked) for _ in range(rng.randint(4, 16))]


def _mutated(rng: random.Random, data: bytes) -> bytes:
    """A few small changes; often none, so that much of what follows is still understood."""
    changed = bytearray(data)
    for _ in range(rng.choice((0, 0, 0, 1, 1, 3))):
        at = rng.randrange(len(changed)) if changed else 0
        way = rng.randrange(5)
        if way == 0 and changed:
            changed[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            changed[at:at] = rng.randbytes(rng.randint(1, 8))
        elif way == 2:
            del changed[at : at + rng.randint(1, 8)]
        elif way == 3:
            changed[at:at] = changed[at : at + rng.randint(1, 40)]
        else:
            del changed[at:]
    return bytes(changed)


def _converse(rng: random.Random, relay: Relay, data: dict[bool, bytes]) -> tuple[dict[bool, bytes], bool]:
    """Both sides speak at once, in pieces; now and then one is lost, or we have something to say ourselves."""
    queues = {masked: pieces(rng, whole) for masked, whole in data.items()}
    received: dict[bool, list[bytes]] = {True: [], False: []}
    disturbing = rng.random() < 0.3
    while queues[True] or queues[False]:
        masked = bool(queues[True]) and (not queues[False] or rng.random() < 0.5)
        if disturbing and rng.random() < 0.05:
            rng.choice(_disturbances(relay))()
        feed = relay.from_client if masked else relay.from_upstream
        feed(queues[masked].pop(0))
        for towards, side in ((True, relay.upstream), (False, relay.client)):
            received[towards] += side.out
            side.out.clear()
    return {towards: b"".join(chunks) for towards, chunks in received.items()}, disturbing


def _disturbances(relay: Relay) -> list[Callable[[], None]]:
    return [
        lambda: relay.ping(b"12345678"),
        lambda: relay.fail(1001, "going", ""),
        lambda: relay.lost(relay.client, "client_closed"),
        lambda: relay.lost(relay.upstream, "upstream_truncated"),
    ]


def _judge(seed: int, received: bytes, masked: bool, deflate: bool) -> None:
    seen = expected(received, masked=masked, deflate=deflate, frame_max=1 << 62, message_max=1 << 62)
    if seen.refused:
        raise Finding(f"seed {seed}: what was passed on is refused with {seen.refused}")
    if seen.passed != received:
        raise Finding(f"seed {seed}: {len(received) - len(seen.passed)} bytes after a Close frame, or of a head")


def _compare(seed: int, received: dict[bool, bytes], wanted: dict[bool, Seen]) -> None:
    """Where nothing else ended it, exactly what may pass has passed."""
    for masked, seen in wanted.items():
        other = wanted[not masked]
        if seen.refused or other.refused or (seen.closed and other.closed):
            continue
        if received[masked] != seen.passed:
            raise Finding(f"seed {seed}: passed on {len(received[masked])} bytes of {len(seen.passed)}")
