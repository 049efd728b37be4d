"""A span: one step of a trace, from wherever it was sent (OpenTelemetry's model, flattened)."""

from typing import Literal

import msgspec

from foregate.wire.event import Source

SpanKind = Literal["internal", "server", "client", "producer", "consumer"]
SpanStatus = Literal["unset", "ok", "error"]


class Span(msgspec.Struct, array_like=True, frozen=True):
    """Times are Unix nanoseconds by the clock of who measured them. Ids are lower-case hexadecimal (32 and 16 digits).

    `parent_id` is "" for a root. `peer` is whom a client or producer span asked (service.peer.name, server.address or
    a queue). Attributes are bounded in number and length; a value that is no text is written as JSON.
    """

    org: str
    environment: str
    service: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: SpanKind
    start_ns: int
    end_ns: int
    status: SpanStatus = "unset"
    message: str = ""  # of the status, or of the exception that it recorded
    route: str = ""  # a template, for HTTP
    method: str = ""
    http_status: int = 0  # 0: not HTTP, or no answer
    peer: str = ""
    region: str = ""
    cloud: str = ""
    instance: str = ""
    source: Source = "otlp"
    attributes: dict[str, str] = {}
    links: tuple[str, ...] = ()  # trace ids

    @property
    def failed(self) -> bool:
        """Its status says so, or its HTTP answer was a 5xx."""
        return self.status == "error" or self.http_status >= 500


_encoder = msgspec.msgpack.Encoder()
encode_spans = encode_span = _encoder.encode
decode_spans = msgspec.msgpack.Decoder(list[Span]).decode
decode_span = msgspec.msgpack.Decoder(Span).decode
