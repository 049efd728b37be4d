"""Errors with an address and an owner (RFC 9457 problem details).

Each error has a stable `code`, says whose fault it is, which status it travels as, and whether trying again may help.
`docs/errors/<code>.md` explains each; a house test holds the two together.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Fault = Literal["client", "upstream", "ours"]


@dataclass(frozen=True, slots=True)
class ErrorSpec:
    """One row of the error table. `title` is public and constant; an occurrence may add a detail."""

    code: str
    status: int
    fault: Fault
    title: str
    retryable: bool = False


def _table(*rows: ErrorSpec) -> dict[str, ErrorSpec]:
    return {row.code: row for row in rows}


ERRORS = _table(
    # whose fault: the client's
    ErrorSpec("malformed_request", 400, "client", "The request is not valid HTTP/1.1."),
    ErrorSpec("proxy_header_invalid", 400, "client", "The connection did not begin with a PROXY header."),
    ErrorSpec("invalid_parameter", 400, "client", "A parameter of the request is not valid."),
    ErrorSpec("key_missing", 401, "client", "This route needs to know who asks; WWW-Authenticate says how."),
    ErrorSpec("key_invalid", 401, "client", "The API key is not known here."),
    ErrorSpec("token_invalid", 401, "client", "The token is not valid here."),
    ErrorSpec("signature_invalid", 401, "client", "The request's signature is not valid."),
    ErrorSpec("token_required", 401, "client", "The console needs the token that foregate printed at start."),
    ErrorSpec("forbidden", 403, "client", "You may not do this here."),
    ErrorSpec("blocked", 403, "client", "This client is blocked for a while.", retryable=True),
    ErrorSpec("origin_refused", 403, "client", "A page of another origin may not change anything here."),
    ErrorSpec("route_not_found", 404, "client", "No route matches this path."),
    ErrorSpec("not_found", 404, "client", "There is nothing here under this name."),
    ErrorSpec("model_not_found", 404, "client", "There is no such model here."),
    ErrorSpec("method_not_allowed", 405, "client", "This address does not take this method."),
    ErrorSpec("request_timeout", 408, "client", "The request was not sent in time.", retryable=True),
    ErrorSpec("conflict", 409, "client", "The request contradicts the present state."),
    ErrorSpec("body_too_large", 413, "client", "The request body is larger than this route takes."),
    ErrorSpec("uri_too_long", 414, "client", "The request line is too long."),
    ErrorSpec("unsupported_media_type", 415, "client", "This route does not take bodies of this type."),
    ErrorSpec("expectation_failed", 417, "client", "Only Expect: 100-continue is understood."),
    ErrorSpec("body_invalid", 422, "client", "The request body does not fit what this route takes."),
    ErrorSpec("query_too_large", 422, "client", "The question would have to look at too much."),
    ErrorSpec("config_refused", 422, "client", "The configuration cannot be used; the one before stays in force."),
    ErrorSpec("quota_exceeded", 429, "client", "The quota of this day or month is used up.", retryable=True),
    ErrorSpec("http2_abuse", 429, "client", "The HTTP/2 connection cost more than it asked for.", retryable=True),
    ErrorSpec("rate_limited", 429, "client", "A limit of this route is used up for now.", retryable=True),
    ErrorSpec("tokens_limited", 429, "client", "The tokens of a limit are used up for now.", retryable=True),
    ErrorSpec("headers_too_large", 431, "client", "The request headers are too large."),
    ErrorSpec("client_closed", 499, "client", "The client went away before the answer was complete."),
    ErrorSpec("websocket_malformed", 400, "client", "The client sent a WebSocket frame that breaks the protocol."),
    ErrorSpec("websocket_too_large", 413, "client", "The WebSocket message is larger than this route takes."),
    ErrorSpec("websocket_idle", 408, "client", "Nothing was heard on the WebSocket for too long."),
    ErrorSpec("not_cached", 504, "client", "The client wants a stored answer alone, and none is stored that suits."),
    # the upstream's
    ErrorSpec("upstream_refused", 502, "upstream", "The service could not be reached.", retryable=True),
    ErrorSpec(
        "upstream_closed",
        502,
        "upstream",
        "The service closed the connection before it answered.",
        retryable=True,
    ),
    ErrorSpec("upstream_tls", 502, "upstream", "The service could not be spoken to over TLS."),
    ErrorSpec("websocket_unsupported", 502, "upstream", "The service cannot be spoken to by WebSocket."),
    ErrorSpec("upstream_malformed", 502, "upstream", "The service's answer was not valid HTTP."),
    ErrorSpec("upstream_grpc_failed", 502, "upstream", "The service answered with a gRPC status of failure."),
    ErrorSpec("upstream_truncated", 502, "upstream", "The service broke off in the middle of its answer."),
    ErrorSpec(
        "circuit_open",
        503,
        "upstream",
        "The service has been failing and is given time to recover.",
        retryable=True,
    ),
    ErrorSpec("upstream_timeout", 504, "upstream", "The service did not answer in time.", retryable=True),
    ErrorSpec(
        "issuer_unavailable", 503, "upstream", "The issuer of tokens cannot be asked for its keys.", retryable=True
    ),
    ErrorSpec("provider_failed", 502, "upstream", "No provider of this model could answer.", retryable=True),
    ErrorSpec("provider_malformed", 502, "upstream", "The provider's answer was not what it promises.", retryable=True),
    # ours
    ErrorSpec("internal", 500, "ours", "foregate made a mistake."),
    ErrorSpec("draining", 503, "ours", "This gateway is shutting down.", retryable=True),
    ErrorSpec("overloaded", 503, "ours", "A bound of this gateway is reached.", retryable=True),
    ErrorSpec("buffer_full", 429, "ours", "More telemetry has come than could be stored yet.", retryable=True),
    ErrorSpec("bus_unavailable", 503, "ours", "Telemetry cannot be stored at the moment.", retryable=True),
    ErrorSpec("storage_full", 503, "ours", "There is too little free disk to keep more.", retryable=True),
    ErrorSpec("store_unavailable", 503, "ours", "A store of telemetry does not answer.", retryable=True),
    ErrorSpec("query_timeout", 503, "ours", "The question took too long to answer.", retryable=True),
    ErrorSpec("shed", 503, "ours", "Too much is asked here: more important requests go first.", retryable=True),
    ErrorSpec("bulkhead_full", 503, "ours", "Too many requests to this service are under way.", retryable=True),
)


class ForegateError(Exception):
    """An error from the table, raised where exceptions are the right tool (never on the gateway's ordinary path).

    `detail` is public; `internal` is for the log alone.
    """

    def __init__(self, code: str, detail: str = "", *, internal: str = "") -> None:
        self.spec = ERRORS[code]
        self.detail = detail
        self.internal = internal
        super().__init__(f"{code}: {detail or self.spec.title}" + (f" ({internal})" if internal else ""))


def problem(spec: ErrorSpec, request_id: str, detail: str = "", members: Mapping[str, Any] | None = None) -> bytes:
    """The application/problem+json body of one occurrence of `spec`, with further `members`.

    `request_id` has plain characters only (`kernel.ids.valid_request_id`). A refusal must cost little: what does not
    change from one occurrence to the next is encoded once.
    """
    before_id, after_id = _around(spec.code, detail)
    if members:
        after_id += b", " + json.dumps(dict(members), ensure_ascii=False).encode()[1:-1]
    return b"%s%s%s}" % (before_id, request_id.encode(), after_id)


@lru_cache(maxsize=1_024)  # details that name a value of the request come and go; those of settings stay
def _around(code: str, detail: str) -> tuple[bytes, bytes]:
    """What stands before the request id, and after it."""
    spec = ERRORS[code]
    body = {
        "type": f"urn:foregate:error:{code}",
        "title": spec.title,
        "status": spec.status,
        "code": code,
        "retryable": spec.retryable,
        "request_id": "",
    }
    before_id = json.dumps(body, ensure_ascii=False).encode()[:-2]
    return before_id, b'"' + (b', "detail": ' + json.dumps(detail, ensure_ascii=False).encode() if detail else b"")
