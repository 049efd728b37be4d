"""Bodies are unpacked to exactly what they were, and never beyond their bound."""

import gzip
import random
import resource
from collections.abc import Callable

import cramjam
import pytest

from foregate.kernel.errors import ForegateError
from foregate.telemetry.formats.unpack import unpack

DATA = random.Random(7).randbytes(300_000) + b"x" * 700_000


def _stream(data: bytes) -> bytes:
    """zstd that does not say how long it will be."""
    compressor = cramjam.zstd.Compressor()
    compressor.compress(data)
    return bytes(compressor.finish())


PACKED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "zstd": ("zstd", lambda data: bytes(cramjam.zstd.compress(data))),
    "zstd stream": ("zstd", _stream),
    "snappy": ("snappy", lambda data: bytes(cramjam.snappy.compress_raw(data))),
    "identity": ("", bytes),
}


def _code(body: bytes, encoding: str, bytes_max: int) -> str:
    with pytest.raises(ForegateError) as raised:
        unpack(body, encoding, bytes_max)
    return raised.value.spec.code


@pytest.mark.parametrize(("encoding", "pack"), PACKED.values(), ids=PACKED)
def test_a_body_comes_out_as_it_was_up_to_its_bound_and_not_a_byte_beyond(
    encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    packed = pack(DATA)
    assert unpack(packed, encoding, len(DATA)) == DATA
    assert _code(packed, encoding, len(DATA) - 1) == "body_too_large"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_several_members_are_one_body(encoding: str) -> None:
    pack = PACKED[encoding][1]
    assert unpack(pack(b"one ") + pack(DATA) + pack(b" two"), encoding, 2_000_000) == b"one " + DATA + b" two"


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "zstd stream", "snappy"])
def test_a_body_that_is_cut_off_or_something_else_is_refused(encoding: str) -> None:
    name, pack = PACKED[encoding]
    packed = pack(DATA)
    assert _code(packed[:-9], name, 2_000_000) == "body_invalid"
    assert _code(b"\x00no such thing", name, 2_000_000) == "body_invalid"


def test_an_encoding_that_is_not_known_is_named() -> None:
    assert _code(b"", "br", 1) == "unsupported_media_type"


def test_members_that_hold_nothing_are_refused_when_they_are_very_many() -> None:
    assert _code(gzip.compress(b"") * 100_000, "gzip", 2_000_000) == "body_too_large"


def test_a_bomb_is_noticed_before_memory_grows() -> None:
    bombs = {"gzip": gzip.compress(bytes(400_000_000), 1), "zstd": bytes(cramjam.zstd.compress(bytes(400_000_000)))}
    bombs["snappy"] = b"\xff\xff\xff\xff\x0f" + b"\0" * 100  # it says 4 GiB
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for encoding, bomb in bombs.items():
        assert _code(bomb, encoding, 8_000_000) == "body_too_large"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 64_000
