"""What a client gets instead of a failure: the answer of another service, or a fixed one.

Decided by the failure's error code, or by the status of an upstream's answer written as a number ("502"). Only once per
request: a fallback that fails is a failure.
"""

from foregate.wire.policies import Fallback

HEADER = b"x-gateway-fallback: 1\r\n"  # stands in every answer that is not the one that was asked for


def applies(settings: Fallback, failure: str) -> bool:
    """`failure`: an error code, or a status as text."""
    return failure in settings.on


def fixed_head(settings: Fallback) -> bytes:
    """The header lines of the fixed answer, each with its CRLF."""
    return b"content-type: %s\r\ncache-control: no-store\r\n%s" % (settings.content_type.encode(), HEADER)
