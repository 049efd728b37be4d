"""Server-sent events (WHATWG HTML, section 9.2), read from bytes in any chunking, and written.

An event is complete with the blank line after it. Its bytes are kept as they came, so that a stream can be passed on
unchanged in whole events.
"""

from __future__ import annotations

import re
from typing import NamedTuple

EVENT_BYTES_MAX = 8_388_608  # of one event, and so of a line: `TooLarge`; a last event with a whole answer can be long
_BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")  # atomic: a CRLF alone is not two ends of lines
_LINE = re.compile(rb"\r\n|\n|\r")


class TooLarge(Exception):
    """An event is larger than `event_bytes_max`."""


class Event(NamedTuple):
    """`data` is None where the block has none (a comment, a heartbeat): a browser would dispatch nothing.

    `raw` is all of it with its blank line, and whatever blank lines came before.
    """

    kind: bytes
    data: bytes | None
    raw: bytes
    id: bytes | None = None


class Parser:
    """Feed it bytes; what is not a whole event yet waits, up to `event_bytes_max`."""

    __slots__ = ("_event_bytes_max", "_fresh", "_pieces", "_waiting_bytes")

    def __init__(self, event_bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._event_bytes_max = event_bytes_max
        self._pieces: list[bytes] = []  # of an event that is not complete; no boundary in them
        self._waiting_bytes = 0
        self._fresh = True  # nothing came yet: a byte order mark may

    @property
    def waiting(self) -> bool:
        """Whether a part of an event is held."""
        return bool(self._pieces)

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that are complete now. Raises TooLarge; the parser is not to be used after that."""
        if self._pieces:
            seam = self._tail() + chunk[:4]
            if _BLANK.search(seam) is None and _BLANK.search(chunk) is None:
                self._hold(chunk)
                return []
            self._pieces.append(chunk)
            chunk = b"".join(self._pieces)
            self._pieces = []
            self._waiting_bytes = 0
        blocks, rest = _split(chunk)
        if rest:
            self._hold(rest)
        if self._fresh or len(chunk) > self._event_bytes_max:
            return [self._event(block) for block in blocks]
        return list(map(parse, blocks))

    def finish(self) -> list[Event]:
        """The stream is over: an event whose last CR waited for an LF. One without its blank line is dropped."""
        left = b"".join(self._pieces)
        self._pieces = []
        return [self._event(left)] if left.endswith(b"\r") and _BLANK.search(left) else []

    def _tail(self) -> bytes:
        """The last bytes that wait: a boundary may have begun in them."""
        last = self._pieces[-1]
        return last[-4:] if len(last) >= 4 else b"".join(self._pieces[-4:])[-4:]

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._waiting_bytes += len(piece)
            if self._waiting_bytes > self._event_bytes_max:
                raise TooLarge(f"an event of more than {self._event_bytes_max} bytes")

    def _event(self, block: bytes) -> Event:
        if len(block) > self._event_bytes_max:
            raise TooLarge(f"an event of more than {self._event_bytes_max} bytes")
        if self._fresh:
            self._fresh = False
            if block.startswith(_BOM):
                return parse(block[3:])._replace(raw=block)
        return parse(block)


def _split(text: bytes) -> tuple[list[bytes], bytes]:
    """Whole blocks with their blank lines, and the rest. A CR at the very end waits: an LF may belong to it."""
    blocks, start = [], 0
    if b"\r" not in text:
        if text.endswith(b"\n\n") and text.find(b"\n\n") == len(text) - 2:
            return [text], b""  # each event comes alone as a rule
        while (end := text.find(b"\n\n", start)) >= 0:
            blocks.append(text[start : end + 2])
            start = end + 2
        return blocks, text[start:]
    for match in _BLANK.finditer(text):
        end = match.end()
        if end == len(text) and text.endswith(b"\r"):
            break
        blocks.append(text[start:end])
        start = end
    return blocks, text[start:]


def parse(block: bytes) -> Event:
    """One block with the blank line that ends it."""
    if b"\r" not in block:  # nearly all events are one line of data (OpenAI), or a line of kind and one of data
        last = len(block) - 2
        first = block.find(b"\n")
        if first == last and block.startswith(b"data: "):
            return Event(b"", block[6:last], block)
        if (
            block.startswith(b"event: ")
            and block.startswith(b"data: ", first + 1)
            and block.find(b"\n", first + 1) == last
        ):
            return Event(block[7:first], block[first + 7 : last], block)
    kind, last_id = b"", None
    data: list[bytes] = []
    for line in _LINE.split(block):
        name, _, value = line.partition(b":")
        if not name:
            continue  # blank, or a comment
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            kind = value
        elif name == b"id" and b"\0" not in value:
            last_id = value
    return Event(kind, b"\n".join(data) if data else None, block, last_id)


def write(data: bytes, kind: bytes = b"") -> bytes:
    """An event of one or more lines of data. `kind` and data must hold no CR (JSON never does)."""
    head = b"event: " + kind + b"\n" if kind else b""
    if b"\n" in data:
        data = data.replace(b"\n", b"\ndata: ")
    return head + b"data: " + data + b"\n\n"
