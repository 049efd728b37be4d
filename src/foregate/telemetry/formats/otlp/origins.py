"""Resources of either encoding, as where their items come from."""

from __future__ import annotations

from typing import Any

from foregate.telemetry.formats.items import TEXT_CHARS_MAX
from foregate.telemetry.formats.otlp.values import attributes_of
from foregate.telemetry.formats.parsed import Sender
from foregate.telemetry.identity.conventions import Origin, origin


def origin_of(resource: Any, sender: Sender) -> Origin:
    """What the resource does not say, the sender's key does."""
    said = origin(attributes_of(resource.attributes))
    return Origin(
        said.service[:TEXT_CHARS_MAX],
        said.environment[:TEXT_CHARS_MAX] or sender.environment,
        said.region[:TEXT_CHARS_MAX] or sender.region,
        said.cloud[:TEXT_CHARS_MAX] or sender.cloud,
        said.instance[:TEXT_CHARS_MAX],
        {name: value[:TEXT_CHARS_MAX] for name, value in said.kept.items()},  # comes once, is stored with every item
    )
