"""Log records to test with."""

import random

import msgspec

from foregate.wire.log import LogRecord

T0_NS = 1_700_000_100_000_000_000


def record(said: str, at_s: float, **changes: object) -> LogRecord:
    """A record `at_s` seconds after T0."""
    plain = LogRecord("default", "production", "shop", T0_NS + int(at_s * 1e9), 9, said)
    return msgspec.structs.replace(plain, **changes)


def noise(chance: random.Random, at_s: float) -> LogRecord:
    """One with words of its own, as large as they usually are."""
    words = " ".join(f"{chance.getrandbits(40):x}" for _ in range(12))
    return record(words, at_s, trace_id=f"{chance.getrandbits(128):032x}")
