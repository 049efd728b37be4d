"""The numbers of models on the metrics page, in OpenTelemetry's names for generative AI."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from foregate.gateway import layout
from foregate.gateway.ai.metering import DURATION, FIRST_TOKEN, INPUT, OUTPUT, PER_TOKEN
from foregate.ports.blocks import Block
from foregate.wire.snapshot import Snapshot

Sample = tuple[str, str, float]
Named = Iterable[tuple[str, Block]]  # labels as text, and the block
_USAGE = "gen_ai_client_token_usage"
_HISTOGRAMS = (
    ("gen_ai_client_operation_duration_seconds", "Duration of requests to a model.", DURATION),
    ("gen_ai_server_time_to_first_token_seconds", "Until the first token of a streamed answer.", FIRST_TOKEN),
    ("gen_ai_server_time_per_output_token_seconds", "Per output token after the first.", PER_TOKEN),
)
_COUNTERS = (
    ("foregate_ai_cached_tokens_total", "Input tokens that the provider had cached.", layout.AI_CACHED),
    ("foregate_ai_cost_total", "Cost of the tokens at the configured prices.", layout.AI_COST),
    ("foregate_ai_estimated_total", "Requests whose tokens are counted by foregate itself.", layout.AI_ESTIMATED),
    ("foregate_ai_failed_attempts_total", "Attempts that did not answer.", layout.AI_FAILED),
)


def blocks_of(snapshot: Snapshot) -> Iterator[tuple[dict[str, str], tuple[str, int]]]:
    """(labels, block) of every configured model: a bounded set, whatever clients ask for."""
    for service in snapshot.services:
        for model in service.ai.models if service.ai is not None else ():
            labels = {"gen_ai_provider_name": service.name, "gen_ai_request_model": model}
            yield labels, layout.ai_block(service.name, model)


def families(models: Named) -> Iterator[tuple[str, str, str, Iterable[Sample | None]]]:
    """As `metrics._families` has them."""
    for name, text, histogram in _HISTOGRAMS:
        yield name, "histogram", text, _histogram(models, name, histogram, "")
    yield _USAGE, "histogram", "Tokens used by a request.", _token_usage(models)
    for name, text, cell in _COUNTERS:
        yield name, "counter", text, ((name, labels, block.total(cell)) for labels, block in models)


def _token_usage(models: Named) -> Iterator[Sample | None]:
    for kind, histogram in (("input", INPUT), ("output", OUTPUT)):
        yield from _histogram(models, _USAGE, histogram, f',gen_ai_token_type="{kind}"')


def _histogram(models: Named, name: str, histogram: int, more: str) -> Iterator[Sample | None]:
    bounds, start = layout.AI_HISTOGRAMS[histogram], layout.AI_STARTS[histogram]
    for labels, block in models:
        counts = [block.total(start + at) for at in range(len(bounds) + 1)]
        if not any(counts):
            yield None
            continue
        total = 0.0
        for bound, count in zip((*(f"{bound:.10g}" for bound in bounds), "+Inf"), counts, strict=True):
            total += count
            yield f"{name}_bucket", f'{labels}{more},le="{bound}"', total
        yield f"{name}_sum", labels + more, block.total(start + len(bounds) + 1)
        yield f"{name}_count", labels + more, total
