"""Answers of our own: problems, health, metrics."""

import json
import math
from collections.abc import Mapping
from typing import Any

from foregate.gateway.heads import status_line
from foregate.http1.exchange import Exchange
from foregate.kernel.errors import ERRORS, problem


def respond(exchange: Exchange, status: int, lines: bytes, content_type: bytes, body: bytes) -> None:
    """Write a whole answer; `lines` are further header lines with their CRLF."""
    head = b"%scontent-type: %s\r\ncache-control: no-store\r\n%s" % (status_line(status), content_type, lines)
    exchange.send_whole(status, (head,), len(body), [body])
    exchange.end()


def respond_problem(
    exchange: Exchange,
    code: str,
    request_id: str,
    lines: bytes = b"",
    detail: str = "",
    members: Mapping[str, Any] | None = None,
) -> int:
    """Write a problem; returns its status."""
    spec = ERRORS[code]
    lines += b"x-request-id: " + request_id.encode() + b"\r\n"
    respond(exchange, spec.status, lines, b"application/problem+json", problem(spec, request_id, detail, members))
    return spec.status


def retry_after_line(wait_s: float) -> bytes:
    return b"retry-after: %d\r\n" % max(1, math.ceil(wait_s))


def health_body(status: str, config: str, started_s: float, now_s: float) -> bytes:
    """`started_s`, `now_s`: monotonic seconds."""
    return json.dumps({"status": status, "config": config, "uptime_s": round(now_s - started_s, 3)}).encode()
