"""As much of DER (X.690) as certificates need: elements, one after the other and one within the other. Pure."""

from collections.abc import Iterator


def value_of(der: bytes) -> bytes:
    """The content of the one element that `der` is. Raises ValueError."""
    for _, value in children(der):
        return value
    raise ValueError("the certificate is not DER")


def children(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element, one after the other. Raises ValueError."""
    at = 0
    while at < len(der):
        if at + 2 > len(der):
            raise ValueError("the certificate is cut off")
        tag, size = der[at], der[at + 1]
        at += 2
        if size & 0x80:
            digits = size & 0x7F
            size = int.from_bytes(der[at : at + digits], "big")
            at += digits
        if at + size > len(der):
            raise ValueError("the certificate is cut off")
        yield tag, der[at : at + size]
        at += size
