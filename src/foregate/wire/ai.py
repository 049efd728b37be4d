"""The settings of AI traffic: providers, their models, the routes that lead to them, limits in tokens.

A provider is a service with `ai`. Its models are named as clients ask for them: by an exact name, or by a pattern in
which `*` stands for anything (`gpt-*`).
"""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from foregate.wire.settings import Bytes, RateText, Seconds, Secret, Settings

ProviderKind = Literal["openai", "openai-compatible", "anthropic"]
Routing = Literal["order", "cost", "latency", "health"]
ModelName = Annotated[str, Meta(pattern=r"^[!-~]{1,128}$", description="visible ASCII, 128 at most")]
TokenPrice = Annotated[float, Meta(ge=0, le=1_000_000)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Subject = Annotated[
    str, Meta(pattern=r"^(key|org|plan|ip|route|all|header:[A-Za-z0-9-]{1,64})$", description="who shares it")
]
_NO_KEY = re.compile(r"[^ -~]|^ | \Z")
TOKENS_MAX = (1 << 26) - 1  # of a window: what the stores count exactly
QUOTA_TOKENS_MAX = (1 << 32) - 1


class Price(Settings, frozen=True):
    """Per million tokens, in whatever currency you account in. `cached`: of input that the provider had cached."""

    input: TokenPrice
    output: TokenPrice = 0.0
    cached: TokenPrice | None = None  # default: that of input
    cache_written: TokenPrice | None = None  # of input that the provider put into its cache; default: that of input


class Model(Settings, frozen=True):
    """A model of a provider."""

    name: ModelName | None = None  # what the provider calls it; default: as it is asked for
    price: Price | None = None  # without one its cost is 0
    context_tokens: Annotated[int, Meta(ge=1)] | None = None  # a longer prompt is not sent to it
    output_tokens_max: Annotated[int, Meta(ge=1, le=10_000_000)] = 4_096  # reserved for who names no bound, and told


class Provider(Settings, frozen=True):
    """Makes a service a provider of models. `key` is what it knows us by; what clients send is never passed on."""

    provider: ProviderKind
    models: Annotated[dict[ModelName, Model], Meta(min_length=1, max_length=1_000)]
    path: Annotated[str, Meta(pattern=r"^(/[!-~]*[^/])?$", max_length=256)] = "/v1"  # what its API begins with
    key: Secret | None = None
    organization: Annotated[str, Meta(max_length=128, extra={"form": "header_value"})] = ""  # openai-organization
    anthropic_version: Annotated[str, Meta(max_length=64, extra={"form": "header_value"})] = "2023-06-01"

    def problem(self) -> str | None:
        if self.key is None and self.provider != "openai-compatible":
            return f"needs key: {self.provider} answers nobody without one (openai-compatible servers may)"
        if self.key is not None and _NO_KEY.search(self.key):
            return "key holds a line break (files often end with one) or another character that no header line can hold"
        for name, model in self.models.items():
            if name.count("*") > 1:
                return f'the pattern "{name}" has more than one *'
            if "*" in (model.name or ""):
                return f'models."{name}".name must be a name, not a pattern'
        return None


class ModelRoute(Settings, frozen=True):
    """What a model's name means on a route. `to` and `fallback` name models: `gpt-5` of whichever service has it, or
    `openai/gpt-5` of the service openai. Of those in `to` `routing` chooses; then `fallback` in its order."""

    to: tuple[ModelName, ...] = ()  # none: the model itself, of all services that have it
    routing: Routing | None = None  # default: the route's
    fallback: Annotated[tuple[ModelName, ...], Meta(max_length=16)] = ()


class AnswerCache(Settings, frozen=True):
    """Give the very same request the same answer again, without asking a provider. Off unless it is set."""

    ttl_s: Seconds = 3_600.0
    share: Literal["key", "org", "public"] = "key"  # who may be given an answer that another got
    # `deterministic`: temperature 0 was asked for, or embeddings
    when: Literal["deterministic", "always"] = "deterministic"
    bytes_max: Bytes = 67_108_864  # of one worker; the least recently used go first
    answer_bytes_max: Bytes = 1_048_576  # a larger answer is not kept


class AiRoute(Settings, frozen=True):
    """A route to models: the paths of the OpenAI and Anthropic APIs under its own path."""

    services: Annotated[tuple[str, ...], Meta(min_length=1, max_length=32)]  # with `ai`; the first that has the model
    models: Annotated[dict[ModelName, ModelRoute], Meta(max_length=1_000)] = msgspec.field(default_factory=dict)
    routing: Routing = "order"
    attempts_max: Annotated[int, Meta(ge=1, le=16)] = 4  # models that are tried for one request
    first_token_timeout_s: Seconds = 30.0  # of each attempt at a stream
    answer_timeout_s: Seconds = 300.0  # of each attempt at a whole answer; of a stream: the longest silence
    body_bytes_max: Annotated[int, Meta(ge=1_024, le=1 << 30)] = 16_777_216
    answer_bytes_max: Annotated[int, Meta(ge=1_024, le=1 << 30)] = 33_554_432  # of a whole answer, held in memory
    answer_cache: AnswerCache | None = None

    def problem(self) -> str | None:
        if len(set(self.services)) != len(self.services):
            return "services: one is named twice"
        return None


class ModelAccess(Settings, frozen=True):
    """Which models may be asked for, by name or pattern. Others are as if there were none of that name."""

    allow: Annotated[tuple[ModelName, ...], Meta(min_length=1, max_length=1_000)]


class TokenLimit(Settings, frozen=True):
    """So many tokens of models: at a `rate` such as 100000/m, or `quota` in a calendar day or month (UTC).

    What a request may use is reserved when it begins and settled when it has ended.
    """

    name: Name = "tokens"
    by: Subject = "key"
    kind: Literal["total", "input", "output"] = "total"
    rate: RateText | None = None
    burst: Annotated[float, Meta(ge=1, le=TOKENS_MAX)] | None = None  # default: the rate's whole amount
    quota: Annotated[int, Meta(ge=1, le=QUOTA_TOKENS_MAX)] | None = None
    period: Literal["day", "month"] | None = None

    def problem(self) -> str | None:
        if (self.rate is None) == (self.quota is None):
            return "needs either a rate such as 100000/m or a quota, one of them"
        if (self.quota is None) != (self.period is None):
            return "quota and period (day or month) belong together"
        if self.burst is not None and self.rate is None:
            return "burst belongs to a rate"
        return None
