"""The settings of mirrored traffic."""

from typing import Annotated

from msgspec import Meta

from foregate.wire.settings import Settings, Share


class Mirror(Settings, frozen=True):
    """Ask a second service the same and compare its answers; clients never see them."""

    service: Annotated[str, Meta(min_length=1, max_length=63)]
    share: Share = 1.0
