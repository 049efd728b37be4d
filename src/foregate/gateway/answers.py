"""Answers of our own: problems, health, metrics."""

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from foregate.gateway import grpc
from foregate.gateway.exchange import ClientExchange
from foregate.gateway.heads import status_line
from foregate.http1.headers import encode
from foregate.kernel.errors import ERRORS, problem

JSON = b"application/json"


def respond(exchange: ClientExchange, status: int, lines: bytes, content_type: bytes, body: bytes) -> None:
    """Write a whole answer; `lines` are further header lines with their CRLF."""
    exchange.send_whole(status, (_start(status, content_type), exchange.date_line, lines), len(body), [body])
    exchange.end()


@lru_cache(maxsize=64)  # as many as there are statuses we answer with
def _start(status: int, content_type: bytes) -> bytes:
    return b"%scontent-type: %s\r\ncache-control: no-store\r\n" % (status_line(status), content_type)


def respond_problem(
    exchange: ClientExchange,
    code: str,
    request_id: str,
    lines: bytes = b"",
    detail: str = "",
    members: Mapping[str, Any] | None = None,
) -> int:
    """Write a problem; returns its status. A gRPC client gets it as a Trailers-Only answer."""
    spec = ERRORS[code]
    if exchange.protocol == "grpc":
        said = encode(grpc.problem_fields(spec.status, code, detail or spec.title))
        head = _start(200, b"application/grpc"), exchange.date_line, lines, said
        exchange.send_whole(200, (*head, b"x-request-id: %s\r\n" % request_id.encode()), 0, [])
        exchange.end()
        return spec.status
    body = problem(spec, request_id, detail, members)
    start = _start(spec.status, b"application/problem+json")
    head = start, exchange.date_line, lines, b"x-request-id: %s\r\n" % request_id.encode()
    exchange.send_whole(spec.status, head, len(body), [body])
    exchange.end()
    return spec.status


def retry_after_line(wait_s: float) -> bytes:
    return b"retry-after: %d\r\n" % max(1, math.ceil(wait_s))


def health_body(status: str, config: str, started_s: float, now_s: float) -> bytes:
    """`started_s`, `now_s`: monotonic seconds."""
    return json.dumps({"status": status, "config": config, "uptime_s": round(now_s - started_s, 3)}).encode()
