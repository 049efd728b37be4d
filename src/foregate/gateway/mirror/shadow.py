"""A request whose answer is also asked of another service: the client gets the first one's, as it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from foregate.gateway import layout
from foregate.gateway.inner import AnswerHead, Relay
from foregate.gateway.mirror.compare import Answered, differences
from foregate.http1.trailers import Fields

if TYPE_CHECKING:
    from foregate.gateway.inner import Asking, InnerExchange
    from foregate.gateway.request import Request
    from foregate.wire.mirror import Mirror

MARK = b"x-foregate-mirror: 1"  # what the second service is told, so that it can leave others alone


class Held:
    """An answer as far as it is held: of a larger body only that there was one."""

    __slots__ = ("_bytes_max", "_parts", "_size", "head")

    def __init__(self, bytes_max: int) -> None:
        self.head: AnswerHead | None = None
        self._bytes_max = bytes_max
        self._parts: list[bytes] | None = []
        self._size = 0

    def add(self, chunks: list[bytes]) -> None:
        if self._parts is None:
            return
        self._size += sum(map(len, chunks))
        self._parts += chunks
        if self._size > self._bytes_max:
            self._parts = None

    @property
    def whole(self) -> bool:
        """Whether all of it is held."""
        return self._parts is not None

    def answered(self) -> Answered | None:
        """What is compared; None where the service gave no answer of its own."""
        if self.head is None or self.head.error:
            return None
        body = b"".join(self._parts) if self._parts is not None else None
        return Answered(self.head.status, self.head.headers, body)


class Shadows:
    """One policy's: its settings, and who is under way. `differ(facts)` hears of answers that are not the same."""

    __slots__ = ("differ", "headers", "inflight", "settings")

    def __init__(self, settings: Mirror, differ: Callable[[dict[str, object]], None]) -> None:
        self.settings = settings
        self.headers = tuple(name.encode() for name in settings.headers)
        self.inflight = 0
        self.differ = differ


class Mirrored(Relay):
    """Passes the first service's answer on; once the client has all of it, the second one is asked."""

    __slots__ = ("_held", "_shadows")

    def __init__(self, request: Request, asking: Asking, shadows: Shadows) -> None:
        super().__init__(request, asking)
        self._shadows = shadows
        self._held = Held(shadows.settings.body_bytes_max)

    def answer_head(self, head: AnswerHead) -> None:
        self._held.head = head
        super().answer_head(head)

    def answer_body(self, chunks: list[bytes]) -> None:
        self._held.add(chunks)
        super().answer_body(chunks)

    def answer_end(self, trailers: Fields) -> None:
        super().answer_end(trailers)
        first, shadows, cells = self._held.answered(), self._shadows, self.request.route.cells
        if first is None or not self._held.whole or shadows.inflight >= shadows.settings.inflight_max:
            cells[layout.MIRROR_SKIPPED] += 1.0
        else:
            _Shadow(self.request, self.asking, shadows, first).start()


class _Shadow:
    """The second service's answer: nobody waits for it."""

    __slots__ = ("_asking", "_first", "_held", "_inner", "_request", "_shadows")

    def __init__(self, request: Request, asking: Asking, shadows: Shadows, first: Answered) -> None:
        self._request = request
        self._asking = asking
        self._shadows = shadows
        self._first = first
        self._held = Held(shadows.settings.body_bytes_max)
        self._inner: InnerExchange | None = None

    def start(self) -> None:
        kept = (*self._request.kept, MARK)
        self._inner = self._asking.ask(self._request, self, service=self._shadows.settings.service, kept=kept)
        self._shadows.inflight += 1

    def answer_head(self, head: AnswerHead) -> None:
        self._held.head = head

    def answer_body(self, chunks: list[bytes]) -> None:
        self._held.add(chunks)
        if not self._held.whole:  # it differs: the first one's was not that large
            self._over(self._held.answered())

    def answer_end(self, trailers: Fields) -> None:
        self._over(self._held.answered())

    def answer_broken(self, code: str) -> None:
        self._over(None)

    def _over(self, second: Answered | None) -> None:
        shadows, request = self._shadows, self._request
        shadows.inflight -= 1
        if self._inner is not None:
            self._inner.forget()
        cells = request.route.cells
        if second is None:
            cells[layout.MIRROR_FAILED] += 1.0
            return
        found = differences(self._first, second, shadows.headers, shadows.settings.ignore)
        cells[layout.MIRROR_DIFFERENT if found else layout.MIRROR_SAME] += 1.0
        if found:
            service, name = shadows.settings.service, request.route.name
            facts: dict[str, object] = {"route": name, "service": service, "request_id": request.request_id}
            shadows.differ({**facts, "status": f"{self._first.status} {second.status}", "differs": found})
