"""The settings of abuse detection."""

from typing import Annotated, Literal

from msgspec import Meta

from foregate.wire.settings import Network, Seconds, Settings

_Count = Annotated[int, Meta(ge=5, le=1_000_000)]


class Abuse(Settings, frozen=True):
    """Who abuses the gateway, and what is done about it. `observe` says whom it would block, and blocks nobody.

    An address or key that is allowed is never blocked, whatever it does. The numbers are those from which a client of
    whom nothing else is known is suspicious; one that is known must also go far beyond what is usual for it.
    """

    mode: Literal["off", "observe", "block"] = "observe"
    allow_networks: Annotated[tuple[Network, ...], Meta(max_length=1_000)] = ("127.0.0.0/8", "::1")
    allow_keys: Annotated[tuple[str, ...], Meta(max_length=10_000)] = ()
    block_s: Annotated[float, Meta(ge=1, le=86_400, description="The first block; the next ones are longer.")] = 60.0
    growth: Annotated[float, Meta(ge=1, le=100, description="How much longer, each time within a day.")] = 4.0
    block_s_max: Annotated[float, Meta(ge=1, le=2_592_000)] = 86_400.0
    leave_alone_s: Annotated[Seconds, Meta(description="After an operator has lifted a block.")] = 3_600.0
    deviations: Annotated[float, Meta(ge=2, le=20, description="z: standard deviations beyond what is usual.")] = 3.0
    credential_failures: Annotated[_Count, Meta(description="401 and 403 in a minute.")] = 40
    missing_paths: Annotated[_Count, Meta(description="Different paths that are not there (404) in a minute.")] = 40
    sequential_ids: Annotated[_Count, Meta(description="Numbers in a row in a minute; 8 × if all are there.")] = 100
    requests_per_s: Annotated[_Count, Meta(description="Without a key; from a known client: at all.")] = 50

    def problem(self) -> str | None:
        return None if self.block_s <= self.block_s_max else "block_s is longer than block_s_max"
