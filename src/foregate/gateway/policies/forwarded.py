"""Who the client is when proxies stand before us: what they say is worth as much as they are trusted.

`X-Forwarded-For` and `Forwarded` (RFC 7239) are lists; every proxy appends whom it had the request from, so they are
read from the right, and the rightmost address that is not a trusted proxy is the client: what stands left of it anybody
may have written. Where both fields are there `X-Forwarded-For` counts: most proxies write that one and hand a
`Forwarded` of the client through. A hop that is no address (`unknown`, `_hidden`, junk) ends the walk: who stands
behind it is not known, so the client is "", an address that no list of addresses holds. It is not the peer: that one
is our own proxy, which may be let in where its clients must not.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from foregate.gateway.policies.networks import Networks, packed

PEERS_MAX = 4_096  # judged addresses remembered per trust; beyond it all are forgotten and judged anew
HOPS_MAX = 32  # of one field; behind a longer walk nobody is known
_PROTOS = {"http": "http", "https": "https"}
_V4_PORT = re.compile(r"([0-9.]+)(?::[0-9]{1,5})?")
_V6_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?")


class Trust:
    """Which addresses are those of our own proxies."""

    __slots__ = ("_networks", "_peers")

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = Networks(networks)
        self._peers: dict[str, bool] = {}

    def sees(self, peer: str) -> bool:
        """Whether `peer` is trusted; asked with every request that has such fields."""
        known = self._peers.get(peer)
        if known is None:
            if len(self._peers) >= PEERS_MAX:
                self._peers.clear()
            known = self._peers[peer] = self._networks.covers(peer)
        return known


class _Hop(NamedTuple):
    address: str  # "" when it is none
    proto: str
    named: bool = True  # somebody is, be it by something that is no address


def client_of(
    peer: str, forwarded: bytes | None, x_forwarded_for: bytes | None, x_forwarded_proto: bytes | None, trust: Trust
) -> tuple[str, str]:
    """The client's address ("" when it is not known), and the scheme it came with ("" when nobody trusted says so).

    Each field is given as one value, further lines joined by commas.
    """
    if not trust.sees(peer):
        return peer, ""
    if x_forwarded_for is not None:
        hops = _x_hops(x_forwarded_for, x_forwarded_proto)
    elif forwarded is not None:
        hops = _elements(forwarded)
        if not any(hop.named for hop in hops):  # it speaks of other things
            return peer, hops[0].proto
    else:
        return peer, _last_proto(x_forwarded_proto)
    client, proto = peer, ""
    for count, hop in enumerate(hops):
        if not hop.address or count >= HOPS_MAX:
            return "", ""
        client, proto = hop.address, hop.proto
        if not trust.sees(client):
            break
    return client, proto


def _x_hops(addresses: bytes, protos: bytes | None) -> list[_Hop]:
    """The hops of X-Forwarded-For, the nearest first. With one scheme for all, that is the nearest proxy's word."""
    parts = _parts(addresses)
    schemes = _parts(protos) if protos is not None else []
    if len(schemes) != len(parts):
        schemes = schemes[:1] * len(parts)
    known = [_PROTOS.get(scheme.lower(), "") for scheme in schemes] or [""] * len(parts)
    return [_Hop(_address(part), proto) for part, proto in zip(parts, known, strict=True)]


def _last_proto(protos: bytes | None) -> str:
    return _PROTOS.get(_parts(protos)[0].lower(), "") if protos is not None else ""


def _elements(value: bytes) -> list[_Hop]:
    """The hops of Forwarded, the nearest first.

    It is cut at every comma, quoted or not: no address holds one, and so a quote that a client left open cannot
    swallow what a proxy appended behind it.
    """
    hops = []
    for part in _parts(value):
        pairs: dict[str, str] = {}
        for pair in part.split(";"):
            name, _, text = pair.partition("=")
            pairs.setdefault(name.strip().lower(), text.strip())
        address, proto = _address(pairs.get("for", ""), quoted=True), _PROTOS.get(_plain(pairs.get("proto", "")), "")
        hops.append(_Hop(address, proto, "for" in pairs))
    return hops


def _parts(value: bytes) -> list[str]:
    """The elements of a list field, the last first; never none at all. At most one more than we would walk."""
    return [part.strip(" \t") for part in reversed(value.decode("latin-1").rsplit(",", HOPS_MAX + 1))]


def _plain(text: str) -> str:
    return (text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text).lower()


def _address(text: str, quoted: bool = False) -> str:
    """The address of a hop without its port; "" when it is none."""
    if quoted:
        text = _plain(text)
    match = _V6_PORT.fullmatch(text) or _V4_PORT.fullmatch(text)
    address = match[1] if match is not None else text
    return address.lower() if "%" not in address and packed(address) is not None else ""
