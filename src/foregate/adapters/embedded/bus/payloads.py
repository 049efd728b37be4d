"""Payloads as they lie in the file: packed where that makes them smaller, which readers do not see."""

from cramjam import zstd

_PACKED_FROM_BYTES = 1_024  # smaller ones are stored as they are
_LEVEL = 1
Packed = tuple[bytes, bool]  # bytes as stored, whether they are a zstd frame


def packed(payload: bytes) -> Packed:
    """The bytes to store."""
    if len(payload) < _PACKED_FROM_BYTES:
        return payload, False
    frame = bytes(zstd.compress(payload, _LEVEL))
    return (frame, True) if len(frame) < len(payload) else (payload, False)


def unpacked(stored: bytes, is_packed: int) -> bytes:
    """The payload that was appended."""
    return bytes(zstd.decompress(stored)) if is_packed else stored
