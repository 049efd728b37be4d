"""The shape of `telemetry:` in `foregate.yaml`."""

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from foregate.app.config import forms
from foregate.app.config.derive import DERIVED
from foregate.app.config.strict import Strict
from foregate.kernel.limits import BUS_BYTES_MAX
from foregate.wire.bus import BusSettings
from foregate.wire.export import Export
from foregate.wire.ingest import INGEST_WORKERS_MAX, SenderKey
from foregate.wire.survey import Journeys, Logs


def _postgres(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in ("postgresql", "postgres") or not (url.netloc or url.query):
        raise ValueError("is not a URL like postgresql://foregate@127.0.0.1:5432/foregate")
    return text


def _postgres_secret(value: Any) -> Any:
    """A user may be named; passwords come from the environment."""
    written = isinstance(value, str) and not isinstance(value, forms.FromEnvironment)
    if written and re.search(r"://[^/?#]*:[^/?#]*@|[?&](ssl)?password=", value):
        raise ValueError("holds a password: write ${env:NAME} for it")
    return value


class Telemetry(Strict):
    """What is kept of the events: up to a day of them on the bus, `bus.sqlite`, within a bound."""

    bus_bytes_max: int = Field(
        BUS_BYTES_MAX,
        ge=16_777_216,
        le=1 << 50,
        description="Of bus.sqlite. Beyond it the oldest events are deleted, those first that the analyzer has read.",
    )
    ingest_keys: Annotated[tuple[Annotated[SenderKey, DERIVED], ...], Field(max_length=10_000)] = Field(
        (), description="Who may send telemetry. Without any, nothing listens for it."
    )
    ingest_workers: int = Field(1, ge=1, le=INGEST_WORKERS_MAX, description="Processes that take it in.")
    batch_size: int = Field(500, ge=1, le=5_000, description="Small posts share a batch of so many. BATCH_SIZE.")
    flush_interval_s: float = Field(
        2.0, gt=0, le=60, description="So long readers may collect what is acknowledged. FLUSH_INTERVAL_SECONDS."
    )
    buffer_items_max: int = Field(
        50_000, ge=1_000, le=10_000_000, description="Received and not yet stored; more: 429. MAX_BUFFER_CAPACITY."
    )
    body_bytes_max: int = Field(
        16_777_216, ge=65_536, le=268_435_456, description="Of a post as sent; unpacked four times as much. More: 413."
    )
    export: Annotated[Export, DERIVED] | None = Field(
        None, description="Where foregate sends its own metrics, traces and logs. Default: nowhere."
    )
    bus: Annotated[BusSettings, DERIVED] = Field(default_factory=BusSettings)
    retention_days: int = Field(30, ge=1, le=3_650, description="How long single items are kept. RETENTION_DAYS.")
    store: Annotated[str, AfterValidator(_postgres), BeforeValidator(_postgres_secret)] | None = Field(
        None, description="A PostgreSQL for windows and single items (docs/guides/postgresql.md). Default: files here."
    )
    retention: dict[str, Annotated[int, Field(ge=1, le=3_650)]] = Field(
        default_factory=dict, max_length=10_000, description="Days for single organisations, by name."
    )
    journeys: Annotated[Journeys, DERIVED] = Field(default_factory=Journeys)
    logs: Annotated[Logs, DERIVED] = Field(default_factory=Logs)
    archive_bytes_max: int | None = Field(
        None, ge=67_108_864, le=1 << 50, description="Of archive/. Beyond it the oldest items are deleted, and counted."
    )
