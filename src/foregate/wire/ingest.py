"""Settings of the intake of telemetry."""

from typing import Annotated

import msgspec
from msgspec import Meta

from foregate.wire.settings import Settings

_Place = Annotated[str, Meta(max_length=64)]
_Hash = Annotated[str, Meta(pattern=r"^hmac-sha256:[0-9a-f]{64}$")]
_Secret = Annotated[str, Meta(min_length=16, max_length=256, extra={"form": "secret"})]
_Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
INGEST_WORKERS_MAX = 15


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
    items_per_s: Annotated[float, Meta(gt=0)] = 100_000.0  # beyond it: 429 with Retry-After


class Ingest(msgspec.Struct, frozen=True):
    """What the ingest processes need to know. `listen`: host:port or unix:/path, HTTP/1.1 and HTTP/2 on each."""

    listen: tuple[str, ...] = ()
    keys: tuple[IngestKey, ...] = ()
    batch_items: int = 500  # BATCH_SIZE: small posts share a batch on the bus up to so many items
    flush_interval_s: float = 2.0  # FLUSH_INTERVAL_SECONDS: how long readers may let acknowledged items wait
    buffer_items_max: int = 50_000  # MAX_BUFFER_CAPACITY: received and not yet durable; beyond it 429 with Retry-After
    body_bytes_max: int = 16_777_216  # as sent: 413; as unpacked four times as much
    workers: int = 1  # processes that share the addresses


class SenderKey(Settings, frozen=True):
    """A key to send telemetry with: its secret by reference to the environment, or its hash (`foregate keys hash`).

    `org`, `environment`, `region` and `cloud` say where its items come from; an item may name its own, but for the org.
    """

    name: _Name
    secret: _Secret | None = None
    hash: _Hash | None = None
    org: Annotated[_Name | None, Meta(description="Default: that of the configuration.")] = None
    environment: Annotated[_Name | None, Meta(description="Default: that of the configuration.")] = None
    region: _Place = ""
    cloud: _Place = ""
    items_per_s: Annotated[float, Meta(gt=0, le=10_000_000, description="More: 429 with Retry-After.")] = 100_000.0

    def problem(self) -> str | None:
        both = (self.secret is None) == (self.hash is None)
        return "give either secret (as ${env:NAME}) or hash, one of them" if both else None
