"""One event per request: all that the gateway says about it, once it is over."""

from typing import Literal

import msgspec

from foregate.kernel.errors import ERRORS
from foregate.wire.entity import Entity

LimitOutcome = Literal["none", "allowed", "refused"]
BreakerOutcome = Literal["none", "closed", "half_open", "open"]  # as met by the last attempt; open = no attempt made
CacheOutcome = Literal["none", "hit", "miss", "bypass", "stale", "revalidated"]
Protocol = Literal["http/1.1", "h2", "websocket", "grpc"]  # spoken with the client
Source = Literal["gateway", "telemetry", "otlp", "import"]  # who has said it: our own gateway, or how it was sent to us
UNMEASURED_MS = -1.0
EVENT_PATH_BYTES_MAX = 256  # of a path; the rest is cut off

_CLIENTS = frozenset(code for code, spec in ERRORS.items() if spec.fault == "client")


class AiUsage(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a request to a language model was and used. Tokens and cost are what the provider says; with `estimated`
    (it said nothing, or was not let finish) our own count. Durations are milliseconds, -1 where there was none."""

    operation: str  # "chat", "text_completion", "embeddings", "responses": OpenTelemetry's gen_ai.operation.name
    provider: str
    model: str  # as asked for
    answered_by: str  # the provider's name of it
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: float  # in the currency of the prices that are configured
    estimated: bool
    first_token_ms: float
    inter_token_ms: float  # mean
    streamed: bool
    finish_reason: str
    attempts: str = ""  # "openai/gpt-5:upstream_timeout anthropic/claude:ok"


class RequestEvent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A finished request. Times are Unix seconds, durations milliseconds, sizes bytes of body.

    `status` is what the client saw (499 when it left first). `error` is a code of `foregate.kernel.errors` when
    foregate itself made the answer or the exchange broke, else "". `upstream_ms` is the last attempt's time to its
    first byte and 0 without an attempt. `time_s` is the end of the request; `latency_ms` is -1 where a log that was
    imported has not measured it. `inflight` counts this service's requests in this worker when it began,
    itself included. `policies` says what the policies said, in their order: "ip_filter:passed rate_limits:refused".
    `client` is the address that limits and filters mean, `path` what was asked for, without its query, `host` the
    Host field. `region` and `cloud` are where it was served, `instance` by which machine or pod (OpenTelemetry's
    cloud.region, cloud.provider, host.name); `parent_span_id` is the span of who asked. `waited_ms` is how long it
    waited for a place (in a queue of ours) and for new connections, all attempts together; -1: not measured.
    """

    time_s: float
    org: str
    service: str
    route: str
    method: str
    status: int
    latency_ms: float
    upstream_ms: float
    request_bytes: int
    response_bytes: int
    key_id: str
    environment: str
    request_id: str
    trace_id: str
    span_id: str
    attempts: int
    limit: LimitOutcome
    breaker: BreakerOutcome
    cache: CacheOutcome
    error: str
    target: str
    inflight: int
    first_byte_ms: float
    policies: str = ""
    client: str = ""
    path: str = ""
    protocol: Protocol = "http/1.1"
    ai: AiUsage | None = None
    host: str = ""
    parent_span_id: str = ""
    region: str = ""
    cloud: str = ""
    instance: str = ""
    source: Source = "gateway"
    waited_ms: float = UNMEASURED_MS

    @property
    def entity(self) -> Entity:
        return Entity(self.org, self.service, self.route, self.environment)

    @property
    def failed(self) -> bool:
        """A failure in the sense of the failure definition: a 5xx, or an answer that broke off after its good status.

        Refusals by limit, other 4xx and clients that left are none, nor WebSockets that clients have broken.
        """
        return self.status >= 500 or (self.error != "" and self.status < 400 and self.error not in _CLIENTS)

    @property
    def timed_out(self) -> bool:
        return self.error == "upstream_timeout"


_encoder = msgspec.msgpack.Encoder()
encode_event = _encoder.encode
encode_event_into = _encoder.encode_into  # a bytearray, which is then as long as the event
decode_events = msgspec.msgpack.Decoder(list[RequestEvent]).decode
