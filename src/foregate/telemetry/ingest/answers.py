"""Answers, in the words of whoever asks: problem+json, OTLP's Status, gRPC's trailers."""

import math
from collections.abc import Mapping
from typing import Any, Protocol, cast

import msgspec

from foregate.http1.headers import HeaderList, encode, reason
from foregate.http1.trailers import Fields
from foregate.kernel.errors import ERRORS, problem
from foregate.kernel.ids import new_request_id
from foregate.telemetry.formats import Parsed
from foregate.telemetry.formats.otlp.answers import OtlpSignal, exported, failed, reasons
from foregate.telemetry.ingest import grpc
from foregate.telemetry.ingest.endpoints import Endpoint

JSON, PROTOBUF = b"application/json", b"application/x-protobuf"
_PROBLEM = b"application/problem+json"
_GRPC_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-accept-encoding: identity,gzip\r\n"


class Answering(Protocol):
    """What an exchange of either engine offers to whoever answers."""

    @property
    def answered(self) -> bool: ...

    @property
    def date_line(self) -> bytes: ...

    def send_head(self, status: int, lines: bytes, length: int | None) -> None: ...

    def send_whole(self, status: int, lines: tuple[bytes, ...], length: int | None, chunks: list[bytes]) -> None: ...

    def write(self, chunk: bytes) -> None: ...

    def end(self, trailers: Fields = ...) -> None: ...

    def flush(self) -> None: ...


def respond(exchange: Answering, status: int, content_type: bytes, body: bytes, lines: bytes = b"") -> None:
    """A whole answer; `lines` are further header lines with their CRLF."""
    head = b"HTTP/1.1 %d %s\r\ncontent-type: %s\r\n" % (status, reason(status), content_type)
    exchange.send_whole(status, (head, exchange.date_line, lines), len(body), [body])
    exchange.end()
    exchange.flush()


def accept(exchange: Answering, endpoint: Endpoint, as_json: bool, parsed: Parsed, items: int, fresh: bool) -> None:
    """So many items are durable (`fresh` now, else from before); `parsed` says which of the post were not taken."""
    if endpoint.dialect == "telemetry":
        said = {"accepted": items if fresh else 0, "duplicates": 0 if fresh else items, **rejections(parsed)}
        respond(exchange, 200, JSON, msgspec.json.encode(said))
    elif endpoint.dialect == "remote_write":
        _accept_remote_write(exchange, parsed, items)
    elif endpoint.dialect == "grpc":
        exchange.send_head(200, _GRPC_HEAD + exchange.date_line, None)
        exchange.write(grpc.framed(exported(cast("OtlpSignal", endpoint.signal), parsed, json=False)))
        exchange.end([(b"grpc-status", b"0")])
        exchange.flush()
    else:
        body = exported(cast("OtlpSignal", endpoint.signal), parsed, json=as_json)
        respond(exchange, 200, JSON if as_json else PROTOBUF, body)


def refuse(
    exchange: Answering,
    endpoint: Endpoint | None,
    as_json: bool,
    code: str,
    detail: str = "",
    wait_s: float = 0.0,
    members: Mapping[str, Any] | None = None,
    lines: bytes = b"",
) -> None:
    """An error. `wait_s` > 0: the same may be sent again after so long."""
    spec = ERRORS[code]
    if wait_s > 0.0:
        lines += b"retry-after: %d\r\n" % math.ceil(wait_s)
    if endpoint is not None and endpoint.dialect == "grpc":
        refuse_grpc(exchange, code, detail or spec.title, wait_s)
    elif endpoint is not None and endpoint.dialect == "otlp":
        _refuse_otlp(exchange, as_json, spec.status, f"{code}: {detail or spec.title}", wait_s, lines, code)
    else:
        respond(exchange, spec.status, _PROBLEM, problem(spec, new_request_id(), detail, members), lines)


def refuse_grpc(exchange: Answering, code: str, sentence: str, wait_s: float = 0.0) -> None:
    """An answer of trailers alone."""
    said = encode(grpc.status_fields(code, sentence, wait_s))
    exchange.send_whole(200, (_GRPC_HEAD, exchange.date_line, said), 0, [])
    exchange.end()
    exchange.flush()


def rejections(parsed: Parsed) -> dict[str, Any]:
    """How many items were not taken, and the first of them one by one."""
    errors = [{"index": one.index, "reason": one.reason} for one in parsed.rejected]
    return {"invalid": _invalid(parsed), "errors": errors}


def wants_json(headers: HeaderList) -> bool:
    """Whether a post says that it is JSON: then its answer is, too."""
    for name, value in headers:
        if name == b"content-type":
            return value.partition(b";")[0].strip().lower() == JSON
    return False


def _refuse_otlp(
    exchange: Answering, as_json: bool, status: int, sentence: str, wait_s: float, lines: bytes, code: str
) -> None:
    """OTLP/HTTP: the body of every error is a Status, in the encoding of the request."""
    if status == 422:
        status = 400  # the specification's own for what cannot be read: not to be sent again
    body = failed(grpc.status_of(code), sentence, json=as_json, retry_after_s=wait_s if wait_s > 0.0 else None)
    respond(exchange, status, JSON if as_json else PROTOBUF, body, lines)


def _accept_remote_write(exchange: Answering, parsed: Parsed, items: int) -> None:
    """An error where samples were invalid: the sender drops them, and says so in its log; the others are stored."""
    if not _invalid(parsed):
        exchange.send_whole(204, (b"HTTP/1.1 204 No Content\r\n", exchange.date_line), None, [])
        exchange.end()
        exchange.flush()
        return
    detail = f"{items} samples are stored. Of the others: {reasons(parsed)}"
    spec = ERRORS["body_invalid"]
    respond(exchange, spec.status, _PROBLEM, problem(spec, new_request_id(), detail, rejections(parsed)))


def _invalid(parsed: Parsed) -> int:
    return sum(parsed.invalid.values())
