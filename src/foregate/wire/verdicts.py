"""What the analyzer and operators have decided, for every gateway worker to follow: verdicts.json.

A worker needs nobody to keep it up: each verdict ends by itself at its `until_s`, whoever is alive by then.
"""

import socket

import msgspec

MANUAL = "manual"  # the rule of a block that an operator made
_V4_IN_V6 = bytes(10) + b"\xff\xff"


class Block(msgspec.Struct, frozen=True, omit_defaults=True):
    """Requests of `subject` are refused until `until_s`. Times are Unix seconds.

    `subject`: "ip:" with an IPv4 address or an IPv6 /64, or "key:" with the id of a consumer. `times`: how often it was
    blocked within a day, this time included. `reason` is a sentence for operators, never shown to the client.
    """

    subject: str
    until_s: float
    reason: str
    rule: str
    times: int
    since_s: float
    id: str


class RolledBack(msgspec.Struct, frozen=True, omit_defaults=True):
    """A route's canary `service` gets nothing until `until_s` (Unix seconds; None: until somebody says otherwise).

    `settings` is the fingerprint of the canary's (`wire.canary`): with others it is tried anew.
    """

    route: str
    service: str
    until_s: float | None
    reason: str
    since_s: float = 0.0
    settings: str = ""


class Verdicts(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is in force. `version` grows with every change."""

    version: int = 0
    blocks: tuple[Block, ...] = ()
    canaries: tuple[RolledBack, ...] = ()


encode_verdicts = msgspec.json.Encoder().encode
decode_verdicts = msgspec.json.Decoder(Verdicts).decode


def address_subject(address: str) -> str:
    """The subject of a client's address: an IPv6 network of 64 bits is one client, which may choose the rest freely.

    IPv4 written as IPv6 is IPv4. "" for what is no address, such as that of a Unix socket.
    """
    try:
        if ":" not in address:
            return "ip:" + socket.inet_ntop(socket.AF_INET, socket.inet_pton(socket.AF_INET, address))
        whole = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except (OSError, ValueError):  # ValueError: a NUL inside
        return ""
    if whole.startswith(_V4_IN_V6):
        return "ip:" + socket.inet_ntop(socket.AF_INET, whole[12:])
    return f"ip:{socket.inet_ntop(socket.AF_INET6, whole[:8] + bytes(8))}/64"
