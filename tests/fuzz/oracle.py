"""A second opinion on HTTP/1.1: a small, strict reader written from RFC 9112 alone, sharing nothing with the engine.

It takes no shortcuts and forgives nothing that two implementations might read differently: whatever is not plainly one
message raises `Ambiguous`.
"""

import re
from typing import NamedTuple

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([^\x00-\x20\x7f]+) HTTP/1\.([01])")
# RFC 9112 section 3 lets a server part these words by any whitespace. To an upstream there must be one space.
_CLIENTS_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") +([^\x00-\x20\x7f]+) +HTTP/1\.([01])")
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [\t \x21-\x7e\x80-\xff]*")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_CHUNK_HEAD = re.compile(rb"0*([0-9A-Fa-f]{1,16})([ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]+)(/[^#]*|\?[^#]*)?")


class Ambiguous(Exception):
    """Two readers might disagree about where this message ends, or what it says."""


class Message(NamedTuple):
    """One whole message; `start` is (method, target) of a request, (status,) of an answer. `end`: offset after it."""

    start: tuple[bytes, ...]
    fields: list[tuple[bytes, bytes]]
    body: bytes
    end: int

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key == name]


def _head(data: bytes, at: int) -> tuple[bytes, list[tuple[bytes, bytes]], int] | None:
    """First line, fields, offset after the blank line; None while it is not complete."""
    end = data.find(b"\r\n\r\n", at)
    if end < 0:
        return None
    first, *lines = data[at:end].split(b"\r\n")
    return first, _fields(lines), end + 4


def _fields(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    fields = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise Ambiguous(f"not a field line: {line!r}")
        fields.append((match[1].lower(), match[2].rstrip(b" \t")))
    return fields


def _length(fields: list[tuple[bytes, bytes]], version: bytes) -> int | None:
    """Bytes of body: a number, -1 for chunked, None where no framing is said."""
    framing = [field for field in fields if field[0] in (b"content-length", b"transfer-encoding")]
    if not framing:
        return None
    if len(framing) > 1:
        raise Ambiguous("more than one framing field")
    name, value = framing[0]
    if name == b"transfer-encoding":
        if value.lower() != b"chunked" or version == b"0":
            raise Ambiguous(f"transfer-encoding {value!r} in HTTP/1.{version.decode()}")
        return -1
    if not re.fullmatch(rb"[0-9]{1,18}", value):
        raise Ambiguous(f"content-length {value!r}")
    return int(value)


def _chunked(data: bytes, at: int) -> tuple[bytes, int] | None:
    body = b""
    while True:
        stop = data.find(b"\r\n", at)
        if stop < 0:
            return None
        match = _CHUNK_HEAD.fullmatch(data[at:stop])
        if match is None:
            raise Ambiguous(f"not a chunk size: {data[at:stop]!r}")
        size, at = int(match[1], 16), stop + 2
        if not size:
            return _trailers(data, at, body)
        if len(data) < at + size + 2:
            return None
        if data[at + size : at + size + 2] != b"\r\n":
            raise Ambiguous("a chunk is longer than its size")
        body += data[at : at + size]
        at += size + 2


def _trailers(data: bytes, at: int, body: bytes) -> tuple[bytes, int] | None:
    if data[at : at + 2] == b"\r\n":
        return body, at + 2
    end = data.find(b"\r\n\r\n", at)
    if end < 0:
        return None
    _fields(data[at:end].split(b"\r\n"))
    return body, end + 4


def read_request(data: bytes, at: int, *, from_client: bool) -> Message | None:
    """The request at `at`, None while it is incomplete. Raises Ambiguous.

    A client may send an absolute-form target, and line ends before the request line: they belong to no message, so
    nobody can read them as part of one (nginx passes by any CR and LF there too). An upstream must get neither.
    """
    while from_client and data[at : at + 1] in (b"\r", b"\n"):
        at += 1
    head = _head(data, at)
    if head is None:
        return None
    first, fields, at = head
    match = (_CLIENTS_REQUEST_LINE if from_client else _REQUEST_LINE).fullmatch(first)
    if match is None:
        raise Ambiguous(f"not a request line: {first!r}")
    method, target, version = match.groups()
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) > 1 or (version == b"1" and not hosts):
        raise Ambiguous(f"{len(hosts)} hosts")
    target = _origin_form(method, target, hosts[0] if hosts else b"", from_client=from_client)
    length = _length(fields, version)
    if length == -1:
        framed = _chunked(data, at)
        return None if framed is None else Message((method, target), fields, *framed)
    end = at + (length or 0)
    return None if len(data) < end else Message((method, target), fields, data[at:end], end)


def _origin_form(method: bytes, target: bytes, host: bytes, *, from_client: bool) -> bytes:
    if target.startswith(b"/") and b"#" not in target:
        return target
    if target == b"*" and method == b"OPTIONS":
        return target
    match = _ABSOLUTE.fullmatch(target)
    if match is None or not from_client or match[1].lower() != host.lower():
        raise Ambiguous(f"target {target!r} for host {host!r}")
    rest = match[2] or b"/"
    return rest if rest.startswith(b"/") else b"/" + rest


def read_answer(data: bytes, at: int, method: bytes, *, closed: bool) -> Message | None:
    """The answer at `at` to a request with `method`, None while it is incomplete. Raises Ambiguous."""
    head = _head(data, at)
    if head is None:
        return None
    first, fields, at = head
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise Ambiguous(f"not a status line: {first!r}")
    status = int(match[1])
    length = _length(fields, b"1")
    if status < 200 or status in (204, 304) or method == b"HEAD":
        return Message((match[1],), fields, b"", at)
    if length == -1:
        framed = _chunked(data, at)
        return None if framed is None else Message((match[1],), fields, *framed)
    if length is None:
        return Message((match[1],), fields, data[at:], len(data)) if closed else None
    return None if len(data) < at + length else Message((match[1],), fields, data[at : at + length], at + length)
