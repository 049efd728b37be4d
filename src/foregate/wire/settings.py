"""What the settings of policies, services and routes are written with: common types with their bounds and forms.

A field's annotation carries its bounds and, where people write it in another form than we keep it, that form
(`Meta(extra={"form": …})`, read by `app.config`). `problem()` says in a sentence what the fields contradict.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Bytes = Annotated[int, Meta(ge=0, le=1 << 40)]
Share = Annotated[float, Meta(ge=0, le=1)]
Priority = Annotated[int, Meta(ge=0, le=100, description="0 is shed first, 100 last.")]
HeaderName = Annotated[str, Meta(min_length=1, max_length=128, extra={"form": "header_name"})]
Headers = dict[HeaderName, Annotated[str, Meta(max_length=4_096, extra={"form": "header_value"})]]
Network = Annotated[str, Meta(extra={"form": "network"})]  # CIDR, or one address
Secret = Annotated[str, Meta(min_length=8, max_length=4_096, extra={"form": "secret"})]  # by reference: ${env:NAME}
Url = Annotated[str, Meta(extra={"form": "url"})]
Status = Annotated[int, Meta(ge=200, le=599)]


class Rate(msgspec.Struct, frozen=True):
    """`100/s`, `600/m`: `amount` in `per_s` seconds."""

    amount: float
    per_s: float


RateText = Annotated[Rate, Meta(extra={"form": "rate"})]


class Settings(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What all of them have."""

    def problem(self) -> str | None:
        """What these fields contradict, as a sentence; None when they fit together."""
        return None
