"""What the answers of AI routes have in common: their fields, and which failures are the client's own."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from foregate.gateway.ai.formats import Asked
from foregate.http1.headers import HeaderList, find

_WHOLE: HeaderList = [(b"content-type", b"application/json")]
_STREAM: HeaderList = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
# A provider that says one of these cannot answer now, or not us: another may. All other 4xx the client has earned.
_OTHERS_MAY = frozenset({401, 403, 404, 408, 429})
_NOT_OURS = frozenset({401, 403, 404, 408})  # of these the client is not told: they are between us and the provider
# Said of a model that is not there, or not for us; also of a file or a conversation that the client has named.
_PERHAPS_THE_CLIENTS = frozenset({403, 404})
RETRY_AFTER_S_MAX = 3_600.0


class Trouble(NamedTuple):
    """Why an attempt did not answer. `said`: for the event. `status` and `message`: the provider's, where it gave any.

    `counts`: it speaks against the model. `wait_s`: how long the provider wants to be left alone; 0: it did not say.
    """

    code: str
    said: str
    status: int = 0
    message: str = ""
    counts: bool = True
    wait_s: float = 0.0


def doubtful(trouble: Trouble) -> bool:
    """Whether it may be the request that is at fault: it is not, once another model has answered it."""
    return trouble.status in _PERHAPS_THE_CLIENTS


def is_json(body: bytes) -> bool:
    """Whether a provider's error can be passed on as what it is said to be: not a proxy's page, not cut off."""
    try:
        return isinstance(msgspec.json.decode(body), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def content_type(asked: Asked) -> HeaderList:
    """The fields of a good answer."""
    return _STREAM if asked.stream else _WHOLE


def error_fields() -> HeaderList:
    """The fields of an error that is passed on."""
    return _WHOLE


def others_may(status: int) -> bool:
    """Whether another provider is asked after an answer of this status."""
    return status in _OTHERS_MAY or status >= 500 or 300 <= status < 400


def refused(status: int, message: str, headers: HeaderList) -> Trouble:
    """A provider's answer that others are asked after."""
    shown = "" if status in _NOT_OURS or status < 400 else message
    return Trouble("provider_failed", str(status), status, shown, True, retry_after_s(headers))


def retry_after_s(headers: HeaderList) -> float:
    """Of a Retry-After in seconds (RFC 9110 section 10.2.3); 0 without one. A date is not read."""
    value = find(headers, b"retry-after") or b""
    try:
        return min(RETRY_AFTER_S_MAX, max(0.0, float(value))) if value else 0.0
    except ValueError:
        return 0.0
