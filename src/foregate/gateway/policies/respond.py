"""Routes that answer by themselves: redirects and fixed answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from foregate.gateway.policies.policy import Answer, Policy
from foregate.wire.snapshot import FixedAnswer, Redirect

if TYPE_CHECKING:
    from foregate.gateway.request import Request

_PLACEHOLDER = re.compile(r"\$\{(path|query|host|(?:param\.)?[A-Za-z0-9_]+)\}")
_UNSAFE = re.compile(rb"[\x00-\x20\x7f]")


def location(to: str, path: bytes, query: bytes, host: bytes, params: dict[str, str]) -> bytes:
    """The Location of a redirect: placeholders filled in, nothing that could end the header line. `query`: with "?"."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name == "path":
            return path.decode("latin-1")
        if name == "query":
            return query.decode("latin-1")
        if name == "host":
            return host.decode("latin-1")
        return quote(params.get(name.removeprefix("param."), ""), safe="/")  # of "{rest...}" it parts segments

    filled = _PLACEHOLDER.sub(value, to).encode("latin-1", "replace")
    filled = _UNSAFE.sub(lambda match: b"%%%02X" % match[0][0], filled)
    # "//evil.example" would leave this site: a path from the client must stay a path.
    return b"/" + filled.lstrip(b"/\\") if to.startswith(("/", "${path}")) else filled


class RedirectStep(Policy):
    """Sends the client elsewhere."""

    name = "redirect"

    def __init__(self, settings: Redirect) -> None:
        self._settings = settings

    def admit(self, request: Request) -> Answer:
        to = location(self._settings.to, request.path, request.query, request.host, request.params or {})
        return Answer(self._settings.status, b"location: " + to + b"\r\n")


class FixedAnswerStep(Policy):
    """Answers without an upstream."""

    name = "answer"

    def __init__(self, settings: FixedAnswer) -> None:
        lines = b"content-type: %s\r\n" % settings.content_type.encode()
        self._answer = Answer(settings.status, lines, settings.body.encode())

    def admit(self, request: Request) -> Answer:
        return self._answer
