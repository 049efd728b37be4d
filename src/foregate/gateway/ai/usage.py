"""What an answer of a model used, and what that costs.

The rule of billing: tokens are those the provider reported, where it did. Otherwise they are our own count of what was
sent to the client (of a stream that was aborted, up to there) and of what was asked; then `estimated` says so.
"""

from __future__ import annotations

from typing import NamedTuple


class Usage(NamedTuple):
    """Tokens. `input` includes `cached` and `cache_written`, `output` includes `reasoning`."""

    input: int = 0
    output: int = 0
    cached: int = 0  # of the input, read from the provider's cache
    cache_written: int = 0  # of the input, written to the provider's cache
    reasoning: int = 0  # of the output, thought and perhaps not shown
    estimated: bool = False  # at least one of input and output is our own count

    @property
    def total(self) -> int:
        return self.input + self.output


def settled(reported: Usage, own_input: int | None, own_output: int | None) -> Usage:
    """What is billed: `reported`, with our own count in place of what the provider did not say."""
    if own_input is None and own_output is None:
        return reported
    usage = reported._replace(estimated=True)
    if own_input is not None:
        usage = usage._replace(input=own_input, cached=0, cache_written=0)
    if own_output is not None:
        usage = usage._replace(output=own_output, reasoning=0)
    return usage


def unsaid(said: int | None, own: int) -> int | None:
    """Our own count, where the provider said nothing, or that it was nothing where there was something; else None."""
    return None if said or (said == 0 and not own) else own


class Prices(NamedTuple):
    """Per million tokens, in any currency. Input from or to a cache costs as any other where nothing else is said."""

    input: float
    output: float
    cached: float | None = None
    cache_written: float | None = None


def cost(usage: Usage, prices: Prices) -> float:
    plain = max(0, usage.input - usage.cached - usage.cache_written)
    read = usage.cached * (prices.input if prices.cached is None else prices.cached)
    written = usage.cache_written * (prices.input if prices.cache_written is None else prices.cache_written)
    return (plain * prices.input + read + written + usage.output * prices.output) / 1_000_000
