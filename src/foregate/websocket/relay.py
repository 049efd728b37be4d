"""Both directions of a WebSocket, without any I/O: what is sent on, and how it ends.

    relay.from_client(data); relay.from_upstream(data)      # then send what is in `out` of each side
    relay.fail(code, reason, error)                          # or relay.ping(payload), relay.lost(side, error)

The two peers close by themselves: their Close frames are passed on like all others. Where one of them breaks the
protocol or a bound, is gone, or is idle, both are told so by a Close frame of ours. Such a frame is put between two
frames: while a part of one has been passed on, its rest comes first, and where that never comes the connection is cut.
"""

from collections.abc import Callable

from foregate.websocket import close
from foregate.websocket.frames import FrameReader


class Side:
    """The client, or the upstream. `reader` reads what it sends; `out` is to be sent to it.

    `told`: a Close frame has been sent to it. `over`: nothing more is expected of it, its connection may end; `cut`: it
    must be broken off, in the middle of a frame.
    """

    __slots__ = ("_due", "_mask", "cut", "gone", "other", "out", "reader", "told")

    other: "Side"

    def __init__(self, reader: FrameReader, mask: Callable[[], bytes]) -> None:
        self.reader = reader
        self.out: list[bytes] = []
        self.told = self.gone = self.cut = False
        self._mask = mask
        self._due = b""  # our Close frame, while a frame of the other side is under way to here

    @property
    def over(self) -> bool:
        return self.gone or self.cut or (self.told and self.reader.ended)

    def close(self, code: int, reason: str) -> None:
        """Tell it, unless it has been told already."""
        if self.told or self.gone:
            return
        frame = self._due or close.close_frame(code, reason, self._mask())
        if not self.other.reader.mid_frame:
            self._tell(frame)
        elif self.other.gone:
            self.cut = True
        else:
            self._due = frame

    def ping(self, payload: bytes) -> None:
        """Ask for a sign of life; in the middle of a frame there is one already."""
        if not (self.told or self.gone or self._due or self.other.reader.mid_frame):
            self.reader.unanswered = payload
            self.out.append(close.ping_frame(payload, self._mask()))

    def pass_on(self, data: bytes) -> None:
        """What the other side has sent, on its way to here."""
        reader = self.other.reader
        if not self._due:
            onward = reader.feed(data)
            if onward and not (self.told or self.gone):
                self.out.append(onward)
            if reader.closed is not None:
                self.told = True
            return
        self.out.append(reader.rest_of_frame(data))
        if not reader.mid_frame:
            self._tell(self._due)

    def _tell(self, frame: bytes) -> None:
        self.out.append(frame)
        self._due = b""
        self.told = True


class Relay:
    """`error` is why it broke, a code of `kernel.errors`; "" while it has not. `closing`: its end has begun."""

    __slots__ = ("client", "closing", "code", "error", "upstream")

    def __init__(
        self, *, deflate: bool, frame_bytes_max: int, message_bytes_max: int, mask: Callable[[], bytes]
    ) -> None:
        """`deflate`: both have agreed on permessage-deflate. `mask` makes the 4 bytes for a frame to the upstream."""

        def reader(from_client: bool) -> FrameReader:
            return FrameReader(
                from_client=from_client,
                deflate=deflate,
                frame_bytes_max=frame_bytes_max,
                message_bytes_max=message_bytes_max,
            )

        self.client = Side(reader(True), bytes)
        self.upstream = Side(reader(False), mask)
        self.client.other, self.upstream.other = self.upstream, self.client
        self.closing = False
        self.error = ""
        self.code = close.NO_STATUS  # of the first Close frame, whoever has sent it

    def from_client(self, data: bytes) -> None:
        """What the client has sent, of any size."""
        upstream = self.upstream
        upstream.pass_on(data)
        if self.client.reader.ended:
            self._ended(self.client.reader, "websocket_malformed", "websocket_too_large")

    def from_upstream(self, data: bytes) -> None:
        client = self.client
        client.pass_on(data)
        if self.upstream.reader.ended:
            self._ended(self.upstream.reader, "upstream_malformed", "upstream_malformed")

    def _ended(self, reader: FrameReader, malformed: str, too_large: str) -> None:
        if reader.malformed is not None:
            code, reason = reader.malformed
            self.fail(code, reason, too_large if code == close.TOO_BIG else malformed)
        elif not self.closing:
            self.closing = True
            self.code = reader.closed or close.NO_STATUS

    def lost(self, side: Side, error: str) -> None:
        """A side's connection has ended. Once the end has begun that breaks nothing, in whichever order it comes."""
        side.gone = True
        if not self.closing:
            self.fail(close.GOING_AWAY if side is self.client else close.BAD_GATEWAY, "the other side is gone", error)
        else:
            side.other.close(self.code if close.may_travel(self.code) else close.NORMAL, "")

    def fail(self, code: int, reason: str, error: str) -> None:
        """Both are told so. The first reason counts."""
        if not self.closing:
            self.closing = True
            self.error = error
            self.code = code
        self.client.close(code, reason)
        self.upstream.close(code, reason)

    def ping(self, payload: bytes) -> None:
        self.client.ping(payload)
        self.upstream.ping(payload)

    @property
    def over(self) -> bool:
        return self.client.over and self.upstream.over

    def forget(self) -> None:
        """Nothing comes any more. Both sides know one another: a cycle that only the collector would free."""
        del self.client.other, self.upstream.other
