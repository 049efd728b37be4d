"""The settings of the cache: said once here, validated, documented and compiled from here."""

from typing import Literal

from foregate.wire.settings import Settings


class Cache(Settings, frozen=True):
    """Keep answers and give them again (RFC 9111, a shared cache). `share`: who may be given an answer another got.

    The organisation of whoever asks is always part of the key, and so is the API key with `share: key`; only with
    `public` everybody shares.
    """

    share: Literal["key", "org", "public"] = "org"
