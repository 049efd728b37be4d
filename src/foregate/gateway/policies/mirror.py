"""Which requests a second service is asked as well."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from foregate.gateway import layout
from foregate.gateway.mirror import Mirrored, Shadows
from foregate.gateway.policies.policy import Handle, Means, NeedBody, Place, Policy, Verdict
from foregate.wire.mirror import Mirror

if TYPE_CHECKING:
    from foregate.gateway.inner import Asking
    from foregate.gateway.request import Request

_ALL = 1 << 32  # values of a CRC: a request is judged alike before its body has been read and afterwards
_SAID_EVERY_S = 10.0  # a difference is logged at most so often per policy, with how many there were


class MirrorPolicy(Policy):
    """A share of the requests, chosen by their ids; those that cannot be mirrored pass as if there were no mirror."""

    name = "mirror"

    def __init__(self, settings: Mirror, means: Means, place: Place) -> None:
        self._settings = settings
        self._methods = frozenset(method.encode() for method in settings.methods)
        self._monotonic = means.clock.monotonic
        self._log = means.log
        self._quiet_until_s, self._more = 0.0, 0
        self._shadows = Shadows(settings, self._differ)
        self._verdict = Handle(self._begin)

    def admit(self, request: Request) -> Verdict | None:
        exchange, settings = request.exchange, self._settings
        if request.method not in self._methods or request.websocket is not None:
            return None
        if settings.share < 1.0 and crc32(request.request_id.encode()) >= settings.share * _ALL:
            return None
        if request.body is None:
            if exchange.has_body:
                if (exchange.head.content_length or 0) > settings.body_bytes_max or exchange.head.chunked:
                    request.route.cells[layout.MIRROR_SKIPPED] += 1.0  # it is not held for our sake
                    return None
                return NeedBody(settings.body_bytes_max)
        elif len(request.body) > settings.body_bytes_max:
            request.route.cells[layout.MIRROR_SKIPPED] += 1.0
            return None
        return self._verdict

    def _begin(self, request: Request, asking: Asking) -> None:
        Mirrored(request, asking, self._shadows).start()

    def _differ(self, facts: dict[str, object]) -> None:
        now_s = self._monotonic()
        if now_s < self._quiet_until_s:
            self._more += 1
            return
        self._log("mirror_differs", {**facts, "more": self._more})
        self._quiet_until_s, self._more = now_s + _SAID_EVERY_S, 0
