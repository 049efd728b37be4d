"""Masking (RFC 6455 section 5.3): the payload of control frames only; that of messages is passed on as it came."""

MASK_BYTES = 4


def masked(payload: bytes, mask: bytes) -> bytes:
    """The payload masked with these 4 bytes, or unmasked."""
    size = len(payload)
    key = (mask * (size // MASK_BYTES + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
