"""A stored answer made ready to be given: what of its head is the same for everybody is put together once."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from foregate.gateway.cache.validate import head_of_304
from foregate.gateway.heads import answer_fields
from foregate.http1.headers import HeaderList, encode
from foregate.ports.cache import Stored

if TYPE_CHECKING:
    from foregate.gateway.request import Request

_AGE, _STRICT = "age", "strict"
AHEAD_S = 2.0  # a clock set back by more than this since an answer came leaves its age unknown: it is asked anew


def facts_of(age_s: float, strict: bool) -> dict[str, str]:
    """What must outlive this process, for `Stored.facts`."""
    return {_AGE: f"{age_s:.3f}", _STRICT: "1"} if strict else {_AGE: f"{age_s:.3f}"}


class Prepared:
    """`age_s`: when the answer came. Heads are those of the answerers in `answerers`, None where none is made yet."""

    __slots__ = ("_head", "_head_304", "_said", "_second", "age_s", "answerers", "strict")

    def __init__(self, stored: Stored) -> None:
        self.age_s = float(stored.facts.get(_AGE, "0"))
        self.strict = _STRICT in stored.facts
        self.answerers: object = None
        self._head: bytes | None = None
        self._head_304: bytes | None = None
        self._second = -1
        self._said = b""

    def head(self, request: Request, stored: Stored) -> bytes:
        """Status line and fields. Raises what a policy raises that changes answers."""
        chain = request.chain
        if self._head is not None and self.answerers is chain.answerers:
            return self._head
        made = _made(request, stored.status, stored.headers)
        if chain.steady:
            if self.answerers is not chain.answerers:
                self.answerers, self._head_304 = chain.answerers, None
            self._head = made
        return made

    def head_304(self, request: Request, stored: Stored) -> bytes:
        """Likewise of the 304 instead of it."""
        chain = request.chain
        if self._head_304 is not None and self.answerers is chain.answerers:
            return self._head_304
        made = _made(request, 304, head_of_304(stored.headers))
        if chain.steady:
            if self.answerers is not chain.answerers:
                self.answerers, self._head = chain.answerers, None
            self._head_304 = made
        return made

    def hit_lines(self, stored: Stored, now_s: float) -> bytes:
        """Age and what the cache did, of a hit: the same for a second."""
        second = int(now_s)
        if second != self._second:
            self._second = second
            self._said = b"age: %d\r\ncache-status: foregate; hit; ttl=%d\r\nx-cache: HIT\r\n" % (
                max(0, int(self.age_s + now_s - stored.response_time_s)),
                int(stored.fresh_until_s - now_s),
            )
        return self._said


def _made(request: Request, status: int, headers: HeaderList) -> bytes:
    chain = request.chain
    if chain.answerers:
        headers = list(headers)
        for answered in chain.answerers:
            headers = answered(request, status, headers)
        encode(headers)  # raises for what would break out of its line
    service = chain.service
    return answer_fields(status, headers) + (service.header_line if service is not None else b"")


def prepared(stored: Stored) -> Prepared:
    """Kept with it as long as it is in memory."""
    found = stored.prepared
    if found is None:
        found = stored.prepared = Prepared(stored)
    return cast("Prepared", found)
