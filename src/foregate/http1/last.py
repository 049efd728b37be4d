"""The last answer of a connection: why a message is not served. Pure."""

from foregate.http1.date import http_date
from foregate.http1.head import Refusal
from foregate.http1.headers import reason
from foregate.kernel.errors import ERRORS, problem
from foregate.kernel.ids import new_request_id


def last_answer(refusal: Refusal, now_s: float, *, silent: bool = False) -> bytes:
    """A whole answer of HTTP/1.1 that closes; without its body where `silent` (HEAD). `now_s` is wall-clock time."""
    spec = ERRORS[refusal.code]
    body = problem(spec, new_request_id(), refusal.detail)
    return (
        b"HTTP/1.1 %d %s\r\ndate: %s\r\ncontent-type: application/problem+json\r\n"
        b"content-length: %d\r\nconnection: close\r\n\r\n%s"
        % (spec.status, reason(spec.status), http_date(now_s), len(body), b"" if silent else body)
    )
