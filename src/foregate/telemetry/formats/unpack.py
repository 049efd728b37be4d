"""Content-Encoding: bodies unpacked, and never to more than a bound."""

from __future__ import annotations

import zlib

import cramjam

from foregate.kernel.errors import ForegateError

ENCODINGS = ("gzip", "zstd", "snappy", "identity")  # snappy: the raw block of Prometheus remote write
_STEP_BYTES = 262_144
_MEMBERS_MAX = 4_096  # of gzip; a body of more is refused: each costs the same, however little it holds
_GUESS = 8  # how much larger unpacked telemetry usually is
_ZSTD_MAGIC = 0xFD2FB528


def unpack(body: bytes, encoding: str, bytes_max: int) -> bytes:
    """`body` without its encoding. Raises ForegateError: body_too_large, body_invalid, unsupported_media_type."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        unpacked = body
    elif name in ("gzip", "x-gzip"):
        unpacked = _gunzip(body, bytes_max)
    elif name == "zstd":
        unpacked = _unzstd(body, bytes_max)
    elif name == "snappy":
        unpacked = _unsnappy(body, bytes_max)
    else:
        raise ForegateError("unsupported_media_type", f"Content-Encoding may be {', '.join(ENCODINGS)}.")
    if len(unpacked) > bytes_max:
        raise _too_large(bytes_max)
    return unpacked


def _too_large(bytes_max: int) -> ForegateError:
    return ForegateError("body_too_large", f"Unpacked, a body may have {bytes_max} bytes.")


def _gunzip(body: bytes, bytes_max: int) -> bytes:
    """RFC 1952: one member after another, in steps, so that a bomb is noticed when its bound is reached."""
    out = bytearray()
    members = 1
    unpacker = zlib.decompressobj(wbits=31)
    try:
        for start in range(0, len(body), _STEP_BYTES):
            piece = body[start : start + _STEP_BYTES]
            while piece:
                if unpacker.eof:
                    piece = piece.lstrip(b"\0")  # some pad with zeros
                    if piece:
                        unpacker, members = zlib.decompressobj(wbits=31), members + 1
                    if members > _MEMBERS_MAX:
                        raise ForegateError("body_too_large", f"A gzip body may have {_MEMBERS_MAX} members.")
                    continue
                out += unpacker.decompress(piece, _STEP_BYTES)
                if len(out) > bytes_max:
                    raise _too_large(bytes_max)
                piece = unpacker.unconsumed_tail or unpacker.unused_data
        while not unpacker.eof and len(out) <= bytes_max and (more := unpacker.decompress(b"", _STEP_BYTES)):
            out += more
    except zlib.error as error:
        raise ForegateError("body_invalid", "The body is no gzip.", internal=str(error)) from None
    if not unpacker.eof:
        raise ForegateError("body_invalid", "The gzip body ends too early.")
    return bytes(out)


def _unzstd(body: bytes, bytes_max: int) -> bytes:
    """RFC 8878: into a buffer that grows up to the bound. A frame may say how long it is; there may be more of them."""
    if int.from_bytes(body[:4], "little") not in (_ZSTD_MAGIC, *range(0x184D2A50, 0x184D2A60)):
        raise ForegateError("body_invalid", "The body is no zstd.")
    room = min(bytes_max, _zstd_content_bytes(body) or max(_STEP_BYTES, _GUESS * len(body)))
    while True:
        buffer = bytearray(room)
        try:
            length = cramjam.zstd.decompress_into(body, buffer)
        except cramjam.DecompressionError as error:
            if "whole buffer" not in str(error):
                raise ForegateError("body_invalid", "The body is no zstd, or ends too early.") from None
        else:
            return bytes(memoryview(buffer)[:length])
        if room >= bytes_max:
            raise _too_large(bytes_max)
        room = min(bytes_max, 4 * room)


def _zstd_content_bytes(body: bytes) -> int:
    """Frame_Content_Size of the first frame (RFC 8878 section 3.1.1.1); 0 where it does not say."""
    if len(body) < 5 or int.from_bytes(body[:4], "little") != _ZSTD_MAGIC:
        return 0
    descriptor = body[4]
    single, flag = descriptor >> 5 & 1, descriptor >> 6
    width = (1 if single else 0, 2, 4, 8)[flag]
    at = 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3]
    return int.from_bytes(body[at : at + width], "little") + (256 if width == 2 else 0)


def _unsnappy(body: bytes, bytes_max: int) -> bytes:
    """The raw block format; its head says how long it will be."""
    try:
        length = cramjam.snappy.decompress_raw_len(body)
        if length > bytes_max:
            raise _too_large(bytes_max)
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError:
        raise ForegateError("body_invalid", "The body is no snappy.") from None
