"""What keys have used of models, by the hour: the ledger of AI traffic."""

from typing import Literal

import msgspec

HOUR_S = 3_600
UsageBy = Literal["key", "model", "service", "hour"]


class UsageKey(msgspec.Struct, frozen=True, array_like=True):
    """What is added up apart. `hour_s`: of the hour in which the request ended. `model`: the one that answered."""

    hour_s: int
    key_id: str
    service: str
    model: str


class UsageSums(msgspec.Struct, array_like=True):
    """Of requests that a model answered, whole or in part. `estimated` of them have tokens of our own count."""

    requests: int = 0
    estimated: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost: float = 0.0

    def add(self, other: "UsageSums") -> None:
        self.requests += other.requests
        self.estimated += other.estimated
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cached_tokens += other.cached_tokens
        self.cost += other.cost


class UsageAnswer(msgspec.Struct, frozen=True):
    """`used`: (name, sums), the dearest first, hours in their order; `total` of all, also of those left out."""

    used: list[tuple[str, UsageSums]]
    total: UsageSums


class Usage(msgspec.Struct, frozen=True):
    """A row of the ledger."""

    key: UsageKey
    sums: UsageSums
