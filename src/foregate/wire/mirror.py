"""The settings of mirrored traffic."""

from typing import Annotated

from msgspec import Meta

from foregate.wire.settings import HeaderName, Settings, Share

Pointer = Annotated[str, Meta(pattern=r"^(/[^/]*)+$", max_length=512, description="/items/*/id: * is any member")]


class Mirror(Settings, frozen=True):
    """Ask a second service the same once the first has answered, and compare; clients never notice.

    Of a `share` of the requests of these `methods`; whoever names methods that write has them carried out twice.
    A body or answer above `body_bytes_max`, or a request beyond `inflight_max` of a worker, is counted as skipped.
    """

    service: Annotated[str, Meta(min_length=1, max_length=63)]
    share: Share = 1.0
    methods: tuple[Annotated[str, Meta(min_length=1, max_length=32)], ...] = ("GET", "HEAD")
    headers: tuple[HeaderName, ...] = ("content-type",)  # of the answer: these are compared
    ignore: tuple[Pointer, ...] = ()  # members of JSON answers that may differ
    body_bytes_max: Annotated[int, Meta(ge=0, le=1_048_576)] = 65_536
    inflight_max: Annotated[int, Meta(ge=1, le=1_000)] = 64

    def problem(self) -> str | None:
        return None if self.methods else "names no method"
