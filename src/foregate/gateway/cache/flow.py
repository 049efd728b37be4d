"""The way of a request through the cache: what is stored is given, what is not is asked for, once for all who wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from foregate.gateway import layout
from foregate.gateway.cache.asked import Asked
from foregate.gateway.cache.fill import Fill
from foregate.gateway.cache.give import HIT, STALE, How, close_body, give, give_hit
from foregate.gateway.cache.key import Keys
from foregate.gateway.cache.not_found import NotFoundPaths
from foregate.gateway.cache.prepared import AHEAD_S, prepared
from foregate.gateway.cache.reader import Reader
from foregate.gateway.cache.storing import kept_of, refreshed_of, same_for_all
from foregate.gateway.cache.use import use
from foregate.gateway.cache.validate import conditions
from foregate.gateway.cache.vary import variant
from foregate.gateway.facts import NO_FACTS
from foregate.gateway.inner.exchange import AnswerHead, InnerExchange
from foregate.gateway.lately import Lately
from foregate.gateway.policies.policy import Ask, Handle, Refuse, Verdict
from foregate.kernel.clock import Clock
from foregate.ports.cache import Absent, CacheStore, Found, Key, Stored
from foregate.wire.cache import Cache

if TYPE_CHECKING:
    from foregate.gateway.inner import Asking
    from foregate.gateway.request import Request

_READING = frozenset({b"GET", b"HEAD"})
UNSHARED_MAX = 4_096  # answers known not to be for others; of more the oldest are forgotten, and waited for once again
UNSHARED_S = 10.0  # how long nobody waits for such a one

_ONLY_CACHED = Refuse("not_cached", lines=b"cache-status: foregate; detail=only-if-cached\r\nx-cache: MISS\r\n")
_NOT_FOUND = Refuse("not_found", lines=b"cache-status: foregate; hit; detail=not-found-filter\r\nx-cache: HIT\r\n")
_PASSED_ON = b"cache-status: foregate; fwd=bypass\r\nx-cache: MISS\r\n"
OTHER_METHOD = b"cache-status: foregate; fwd=method\r\nx-cache: MISS\r\n"
_MISSED = {
    Absent.URI: b"cache-status: foregate; fwd=uri-miss\r\nx-cache: MISS\r\n",
    Absent.VARIANT: b"cache-status: foregate; fwd=vary-miss\r\nx-cache: MISS\r\n",
}


class Flow:
    """One worker's, for the settings of one place. Coalescing is per worker: n workers may ask n times at once."""

    __slots__ = (
        "_clock", "_filling", "_keys", "_others", "_plain_hit", "_unshared", "now", "paths", "settings", "store",
        "targets",
    )  # fmt: skip

    def __init__(
        self,
        settings: Cache,
        store: CacheStore,
        clock: Clock,
        paths: NotFoundPaths | None,
        others: Callable[[Request], Verdict | None],
    ) -> None:
        """`paths`: the worker's that were not found. `others` judges the methods that read nothing."""
        self._others = others
        self._plain_hit = Handle(self._give_plain)
        self.now = clock.now
        self.settings = settings
        self.store = store
        self.paths = paths if settings.not_found_filter else None
        self.targets = tuple(name.lower().encode() for name in settings.targets)
        self._clock = clock
        self._keys = Keys(settings)
        self._filling: dict[bytes, Fill] = {}  # bounded by the requests under way
        self._unshared: Lately[bytes, float] = Lately(UNSHARED_MAX)  # until when, monotonic

    # --- what is to be done ------------------------------------------------------------------------------------

    def verdict(self, request: Request) -> Verdict | None:
        """None: pass it on, as if there were no cache."""
        if request.method not in _READING:
            return self._others(request)
        known = request.fields.asked
        asked: Asked
        if known is not None and known[0] is self and known[1].kept is request.kept:
            asked = known[1]
        else:
            asked = self._asked(request)
        if asked.passed_on or request.exchange.has_body or request.body:
            self.pass_on(request)
            return None
        primary = self._keys.primary(request, asked)
        asked.chosen = b""
        now_s = self.now()
        found = self.store.get(primary, asked.select, now_s)
        if type(found) is Stored:
            fresh = found.fresh_until_s > now_s >= found.response_time_s - AHEAD_S
            if fresh and asked.plain and type(found.body) is bytes:
                request.found = found
                return self._plain_hit
            return self._of_stored(request, asked, primary, found, now_s)
        if isinstance(found, Absent):
            return self._of_absent(request, asked, primary, found)
        return Ask(self._from_disk(request, asked, primary, found))  # type: ignore[arg-type]

    async def _from_disk(
        self, request: Request, asked: Asked, primary: bytes, found: Awaitable[Found]
    ) -> Verdict | None:
        what = await found
        if isinstance(what, Absent):
            return self._of_absent(request, asked, primary, what)
        return self._of_stored(request, asked, primary, what, self._clock.now())

    def pass_on(self, request: Request, lines: bytes = _PASSED_ON) -> None:
        """The cache has nothing to do with it."""
        request.cache = "bypass"
        request.answer_lines += lines
        request.route.cells[layout.CACHE_BYPASSED] += 1.0

    def void(self, request: Request, urls: list[bytes]) -> None:
        """An unsafe request has succeeded: what is stored under these is not to be given any more."""
        for url in urls:
            key = self._keys.key(request, b"", url)
            self.store.delete(key)
            if self.paths is not None:
                self.paths.written(key)

    def _asked(self, request: Request) -> Asked:
        """Kept with the fields of the connection, for the next request with the same ones."""
        asked = Asked(request, self.settings.request_directives, self._keys.private)
        request.fields.asked = (self, asked)
        return asked

    def _of_stored(
        self, request: Request, asked: Asked, primary: bytes, stored: Stored, now_s: float
    ) -> Verdict | None:
        ready = prepared(stored)
        age_s = ready.age_s + now_s - stored.response_time_s
        how = use(asked, now_s, age_s, stored.fresh_until_s, stored.stale_until_s, ready.strict)
        if now_s < stored.response_time_s - AHEAD_S:
            how = "validate"  # the clock was set back: how old it is nobody knows
        if how == "fresh":
            return Handle(partial(self._hit, asked, stored, now_s))
        if how == "stale":
            return Handle(partial(self._stale, asked, stored, now_s))
        if how == "refresh":
            return Handle(partial(self._refresh, asked, primary, stored, now_s))
        if asked.only_if_cached:
            close_body(stored)
            return self._not_cached(request)
        if request.method == b"HEAD":
            close_body(stored)
            self._miss(request, Absent.URI)
            return None
        why = b"request" if stored.fresh_until_s > now_s else b"stale"
        return Handle(partial(self._fetch, asked, primary, stored, why))

    def _of_absent(self, request: Request, asked: Asked, primary: bytes, absent: Absent) -> Verdict | None:
        if asked.only_if_cached:
            return self._not_cached(request)
        if self.paths is not None and self.paths.known(self._keys.key(request, primary)):
            request.cache = "hit"
            request.route.cells[layout.CACHE_HITS] += 1.0
            return _NOT_FOUND
        if request.method == b"HEAD" or asked.range is not None:
            self._miss(request, absent)  # its answer is none to be stored
            return None
        why = b"uri-miss" if absent is Absent.URI else b"vary-miss"
        return Handle(partial(self._fetch, asked, primary, None, why))

    def _miss(self, request: Request, absent: Absent) -> None:
        request.answer_lines += _MISSED[absent]
        self._missed(request)

    def _not_cached(self, request: Request) -> Refuse:
        self._missed(request)
        return _ONLY_CACHED

    def _missed(self, request: Request) -> None:
        request.cache = "miss"
        request.route.cells[layout.CACHE_MISSES] += 1.0

    # --- giving ------------------------------------------------------------------------------------------------

    def _give_plain(self, request: Request, asking: Asking) -> None:
        """The ordinary hit: nothing is made for it beforehand."""
        stored = request.found
        request.stopped = "answered"
        request.route.cells[layout.CACHE_HITS] += 1.0
        give_hit(request, asking, stored, stored.body, self.now())  # type: ignore[arg-type]

    def _hit(self, asked: Asked, stored: Stored, now_s: float, request: Request, asking: Asking) -> None:
        request.stopped = "answered"
        request.route.cells[layout.CACHE_HITS] += 1.0
        give(request, asking, asked, stored, HIT, now_s)

    def _stale(self, asked: Asked, stored: Stored, now_s: float, request: Request, asking: Asking) -> None:
        request.stopped = "answered"
        request.route.cells[layout.CACHE_STALE] += 1.0
        give(request, asking, asked, stored, STALE, now_s)

    def _refresh(
        self, asked: Asked, primary: bytes, stored: Stored, now_s: float, request: Request, asking: Asking
    ) -> None:
        """Give what is stale, and ask for a new one behind the client's back, unless somebody does already."""
        name = primary + b"\n" + stored.variant
        whole = isinstance(stored.body, bytes)  # else it is asked for anew: what lies on the disk is read once
        self._stale(asked, stored, now_s, request, asking)
        if self._under_way(name) is not None:
            return
        key = self._keys.key(request, primary)
        held = stored if whole else None
        fill = Fill(self, asking, request, asked, key, name=name, why=b"stale", stored=held)
        fill.behind = True
        self._filling[name] = fill
        self._start(fill)

    # --- asking ------------------------------------------------------------------------------------------------

    def _fetch(
        self, asked: Asked, primary: bytes, stored: Stored | None, why: bytes, request: Request, asking: Asking
    ) -> None:
        """Join who asks for the same already, or ask."""
        name = primary + b"\n" + (stored.variant if stored is not None else asked.chosen)
        fill = self._under_way(name)
        if fill is not None and fill.joinable and why != b"request" and self._suits(fill, asked):
            if stored is not None and fill.stored is not stored:
                close_body(stored)
            request.route.cells[layout.CACHE_COLLAPSED] += 1.0
            fill.join(Reader(request, asking, asked, fill, True))
            return
        self._ask(request, asking, asked, self._keys.key(request, primary), name, why, stored)

    def ask_alone(self, request: Request, asking: Asking, asked: Asked) -> None:
        """It has waited for an answer that is not for it."""
        key = self._keys.key(request, self._keys.primary(request, asked))
        self._ask(request, asking, asked, key, b"", b"uri-miss", None)

    def _ask(
        self,
        request: Request,
        asking: Asking,
        asked: Asked,
        key: Key,
        name: bytes,
        why: bytes,
        stored: Stored | None,
    ) -> None:
        fill = Fill(self, asking, request, asked, key, name=name, why=why, stored=stored)
        if name and self.settings.coalesce and self._under_way(name) is None and not self._is_unshared(name):
            self._filling[name] = fill
        fill.join(Reader(request, asking, asked, fill, False))
        self._start(fill)

    def _start(self, fill: Fill) -> None:
        lines = fill.asked.lines
        if fill.stored is not None:
            lines += conditions(fill.stored.headers)
        if b"surrogate-control" in self.targets:
            lines += (b'surrogate-capability: foregate="Surrogate/1.0"',)
        fill.start(lines)

    def _is_unshared(self, name: bytes) -> bool:
        until_s = self._unshared.get(name)
        return until_s is not None and self._clock.monotonic() < until_s

    def _suits(self, fill: Fill, asked: Asked) -> bool:
        """Whether the answer that is coming is for such a request: unknown, and so true, before its head."""
        kept = fill.kept
        return kept is None or variant(kept.vary, asked.sent) == kept.variant

    def _under_way(self, name: bytes) -> Fill | None:
        """What is being asked, unless it is void: who comes after a write or a purge is not given what was before."""
        fill = self._filling.get(name)
        return fill if fill is not None and self._stands(fill) else None

    def _stands(self, fill: Fill) -> bool:
        """Whether nothing was made void since it was asked."""
        return fill.moment == self.store.moment(fill.key)

    def forget(self, fill: Fill) -> None:
        """Nobody may join it any more."""
        if self._filling.get(fill.name) is fill:
            del self._filling[fill.name]

    # --- the answer's head -------------------------------------------------------------------------------------

    def head_came(self, fill: Fill, head: AnswerHead, waiting: list[Reader]) -> None:
        """Store it if that may be; then tell who waits."""
        now_s, stored = self._clock.now(), fill.stored
        if stored is not None and head.status == 304:
            self._still_holds(fill, stored, head, waiting, now_s)
        elif stored is not None and head.status >= 500 and now_s < stored.error_until_s and self._stands(fill):
            fill.ignore_body()
            said = b"fwd=stale; fwd-status=%d; detail=stale-if-error" % head.status
            self._give_all(waiting, stored, How("stale", said), layout.CACHE_STALE, now_s)
        else:
            if stored is not None:
                close_body(stored)
            self._new_answer(fill, head, waiting, now_s)

    def _still_holds(self, fill: Fill, stored: Stored, head: AnswerHead, waiting: list[Reader], now_s: float) -> None:
        fill.ignore_body()
        asked_s = fill.request_time_s
        fresh, reason = refreshed_of(stored, head, fill.asked, self.settings, self.targets, asked_s, now_s)
        if reason:
            fresh.body = stored.body
            self.store.delete(fill.key)
            for reader in waiting:
                if reader.joined:
                    reader.go_alone()
            waiting = [reader for reader in waiting if not reader.joined]
        else:
            fresh = self.store.refresh(fill.key, fill.moment, stored, fresh)
        how = How("revalidated", b"fwd=%s; fwd-status=304" % fill.why)
        self._give_all(waiting, fresh, how, layout.CACHE_REVALIDATED, now_s)

    def _give_all(self, waiting: list[Reader], stored: Stored, how: How, cell: int, now_s: float) -> None:
        for reader in waiting:
            reader.over = True
            reader.request.route.cells[cell] += 1.0
            facts = NO_FACTS if reader.joined else reader.fill.facts
            said = How(how.outcome, how.said + b"; collapsed") if reader.joined else how
            give(reader.request, reader.asking, reader.asked, stored, said, now_s, facts)

    def _new_answer(self, fill: Fill, head: AnswerHead, waiting: list[Reader], now_s: float) -> None:
        kept = kept_of(head, fill.asked, self.settings, self.targets, fill.request_time_s, now_s)
        fill.said = b"fwd=%s; fwd-status=%d" % (fill.why, head.status)
        if self.paths is not None and not head.error:
            if head.status != 404:
                self.paths.found(fill.key)
            elif same_for_all(head, kept):
                self.paths.missing(fill.key, fill.stamp)
        if isinstance(kept, Stored):
            fill.writer = self.store.begin(fill.key, fill.moment, kept, head.length)
        if isinstance(kept, str) or fill.writer is None:
            reason = kept if isinstance(kept, str) else "too_large"
            fill.said += b"; detail=%s" % reason.encode()
            self.forget(fill)
            if fill.name and head.status < 500:
                self._unshared.put(fill.name, self._clock.monotonic() + UNSHARED_S)
            if fill.behind:
                fill.ignore_body()
        else:
            fill.kept = kept
            fill.said += b"; stored; ttl=%d" % int(kept.fresh_until_s - now_s)
        for reader in waiting:
            self._tell(fill, head, reader)

    def _tell(self, fill: Fill, head: AnswerHead, reader: Reader) -> None:
        """The head, to whom it suits; whoever it does not suit asks by itself. A failure of ours is everybody's."""
        request = reader.request
        request.cache = "miss"
        if reader.joined and head.error:
            reader.over = True
            reader.asking.refuse(request, Refuse(head.error))
        elif reader.joined and (fill.writer is None or not self._suits(fill, reader.asked)):
            reader.go_alone()
        else:
            request.route.cells[layout.CACHE_MISSES] += 1.0
            fill.read(reader)

    def doubts(self, inner: InnerExchange) -> bool:
        """Whether an answer that has come whole is none to be stored: more came than it said, or another service's."""
        asked = inner.facts.request
        said = asked.outcomes if asked is not None else None
        return inner.overrun or any(outcome.startswith("fallback:") for outcome in said or ())
