"""Cross-origin requests of browsers (the Fetch standard's CORS protocol).

Preflights are answered here, before it is asked who the client is: a browser sends them without credentials. Requests
of an origin that is not named pass, without the fields that would let its pages read the answer; what an upstream says
of CORS itself is dropped, so that there is one word on it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from foregate.gateway.policies.policy import Answer, Means, Place, Policy, Refuse
from foregate.http1.headers import HeaderList
from foregate.wire.policies import Cors

if TYPE_CHECKING:
    from foregate.gateway.request import Request

ORIGIN_BYTES_MAX = 512  # a longer one is no named origin
_HOST = re.compile(rb"[a-z0-9-]+(?:\.[a-z0-9-]+)*")
_NAMES = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:[ \t]*,[ \t]*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*")
_ASKED_BYTES_MAX = 4_096
_PREFLIGHT_VARY = b"vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n"


class Origins:
    """`*`, exact origins, and those with a wildcard for the first labels of the host (`https://*.example.com`).

    What is no origin fits none of them but `*`; `null`, which any page can have sent for itself, only by name.
    """

    __slots__ = ("_exact", "_wild", "anyone")

    def __init__(self, origins: tuple[str, ...]) -> None:
        lower = [origin.lower().encode() for origin in origins]
        self.anyone = b"*" in lower
        self._exact = frozenset(text for text in lower if b"*" not in text)
        self._wild = tuple(
            (before, after) for before, star, after in (text.partition(b"*") for text in lower) if before
        )

    def take(self, origin: bytes) -> bool:
        """Whether pages of this origin may read answers."""
        if self.anyone or origin in self._exact:
            return True
        if len(origin) > ORIGIN_BYTES_MAX:
            return False
        return any(
            origin.startswith(before)
            and origin.endswith(after)
            and len(origin) > len(before) + len(after)
            and _HOST.fullmatch(origin[len(before) : len(origin) - len(after)]) is not None
            for before, after in self._wild
        )


class CorsPolicy(Policy):
    """Everything that does not depend on the request is written beforehand."""

    name = "cors"
    steady = True

    def __init__(self, settings: Cors, means: Means, place: Place) -> None:
        self._origins = Origins(settings.origins)
        self._any = self._origins.anyone  # with credentials that does not load; if it did, "*" gives them to nobody
        self._vary = b"" if self._any else b"vary: Origin\r\n"
        credentials = b"access-control-allow-credentials: true\r\n" if settings.credentials else b""
        expose = _line(b"access-control-expose-headers", settings.expose)
        self._simple = credentials + expose
        self._headers = _line(b"access-control-allow-headers", settings.headers)
        self._preflight = (
            _PREFLIGHT_VARY
            + credentials
            + _line(b"access-control-allow-methods", settings.methods)
            + b"access-control-max-age: %d\r\n" % settings.max_age_s
        )
        self._foreign = Refuse("forbidden", "Pages of this origin may not ask here.", _PREFLIGHT_VARY)

    def admit(self, request: Request) -> Answer | Refuse | None:
        origin = request.header(b"origin")
        preflight = request.method == b"OPTIONS" and request.header(b"access-control-request-method") is not None
        if origin is None:
            request.answer_lines += self._vary
            return None
        allowed = self._origins.take(origin)
        if preflight:
            return (
                Answer(204, self._allow(origin) + self._asked(request) + self._preflight) if allowed else self._foreign
            )
        request.answer_lines += self._vary + (self._allow(origin) + self._simple if allowed else b"")
        return None

    def _allow(self, origin: bytes) -> bytes:
        return b"access-control-allow-origin: %s\r\n" % (b"*" if self._any else origin)

    def _asked(self, request: Request) -> bytes:
        """The header names that the page may send: those of the settings, or whichever it asks for."""
        if self._headers:
            return self._headers
        asked = request.header(b"access-control-request-headers")
        if not asked or len(asked) > _ASKED_BYTES_MAX or _NAMES.fullmatch(asked) is None:
            return b""
        return b"access-control-allow-headers: %s\r\n" % asked

    def answered(self, request: Request, status: int, headers: HeaderList) -> HeaderList:
        return [field for field in headers if not field[0].startswith(b"access-control-")]


def _line(name: bytes, values: tuple[str, ...]) -> bytes:
    return b"%s: %s\r\n" % (name, ", ".join(values).encode()) if values else b""
