"""What the client gets to see of the header fields of an upstream's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway.policies.placeholders import Filler, compiled, filled
from foregate.gateway.policies.policy import Means, Place, Policy
from foregate.http1.headers import HeaderList
from foregate.wire.policies import ResponseTransform

if TYPE_CHECKING:
    from foregate.gateway.request import Request


class ResponseTransformPolicy(Policy):
    """Removes, then sets (instead of what is there), then adds (beside it)."""

    name = "response_transform"

    def __init__(self, settings: ResponseTransform, means: Means, place: Place) -> None:
        dropped = [*settings.set_headers, *settings.remove_headers]
        self._dropped = frozenset(name.lower().encode() for name in dropped)
        self._added: list[tuple[bytes, bytes | Filler]] = [
            (name.lower().encode(), compiled(value))
            for name, value in [*settings.set_headers.items(), *settings.add_headers.items()]
        ]
        self.steady = all(isinstance(value, bytes) for _, value in self._added)

    def answered(self, request: Request, status: int, headers: HeaderList) -> HeaderList:
        dropped = self._dropped
        kept = [field for field in headers if field[0] not in dropped]
        kept += [(name, filled(value, request)) for name, value in self._added]
        return kept
