"""Settings of the intake of telemetry."""

from typing import Annotated

import msgspec


class IngestKey(msgspec.Struct, frozen=True):
    """Who may send telemetry, for which organisation. `hash`: HMAC-SHA-256 of the secret with the pepper.

    `environment`, `region` and `cloud` hold for items that do not name their own.
    """

    id: str
    hash: str
    org: str
    environment: str = "production"
    region: str = ""
    cloud: str = ""
    items_per_s: Annotated[float, msgspec.Meta(gt=0)] = 100_000.0  # beyond it: 429 with Retry-After


class Ingest(msgspec.Struct, frozen=True):
    """What the ingest processes need to know. `listen`: host:port or unix:/path, HTTP/1.1 and HTTP/2 on each."""

    listen: tuple[str, ...] = ()
    keys: tuple[IngestKey, ...] = ()
    batch_items: int = 500  # BATCH_SIZE: small posts share a batch on the bus up to so many items
    flush_interval_s: float = 2.0  # FLUSH_INTERVAL_SECONDS: how long readers may let acknowledged items wait
    buffer_items_max: int = 50_000  # MAX_BUFFER_CAPACITY: received and not yet durable; beyond it 429 with Retry-After
    body_bytes_max: int = 16_777_216  # as sent: 413; as unpacked four times as much
