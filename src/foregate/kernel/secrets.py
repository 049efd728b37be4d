"""API keys: how they look, how they are made, how they are stored.

A key reads `fg_<environment>_<secret><checksum>`: 28 base62 characters of secret (166 bits), then a CRC-32 of all
before it as 6 base62 characters. The checksum lets junk be refused without any look-up and lets secret scanners match.
A key is stored only as HMAC-SHA-256 under a pepper that is kept outside the configuration and the database.
"""

import hmac
import re
import secrets as _secrets
import zlib

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_CHARS = 28
_CHECKSUM_CHARS = 6
_KEY = re.compile(r"fg_[a-z0-9]{1,16}_[0-9A-Za-z]{34}")
HASH_SCHEME = "hmac-sha256"
CONSOLE_COOKIE = "foregate_session"  # browsers send it to every port of this host: the gateway never passes it on


def new_key(environment: str = "live") -> str:
    """A new API key. It is shown once; store only its `hash_key`."""
    body = f"fg_{environment}_" + "".join(_secrets.choice(_BASE62) for _ in range(_SECRET_CHARS))
    return body + checksum(body)


def new_token() -> str:
    """A secret for a person's browser or for the CLI: 256 bits, URL-safe."""
    return _secrets.token_urlsafe(32)


def new_pepper() -> bytes:
    """32 bytes to be kept in a file of its own (mode 0600), never beside the hashes."""
    return _secrets.token_bytes(32)


def checksum(body: str) -> str:
    """CRC-32 of `body` as six base62 characters."""
    value = zlib.crc32(body.encode())
    digits = []
    for _ in range(_CHECKSUM_CHARS):
        value, digit = divmod(value, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))


def looks_like_key(value: str) -> bool:
    """Whether `value` has the form and the checksum of a generated key (says nothing about its being valid)."""
    return _KEY.fullmatch(value) is not None and checksum(value[:-_CHECKSUM_CHARS]) == value[-_CHECKSUM_CHARS:]


def key_digest(key: bytes, pepper: bytes) -> bytes:
    """The 32 bytes by which a key is known."""
    return hmac.digest(pepper, key, "sha256")


def hash_key(key: str, pepper: bytes) -> str:
    """The stored form, `hmac-sha256:<64 hex digits>`."""
    return f"{HASH_SCHEME}:{key_digest(key.encode(), pepper).hex()}"


def equal(a: str, b: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(a.encode(), b.encode())
