"""What proxies before us say is worth as much as they are trusted."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.policies.forwarded import HOPS_MAX, PEERS_MAX, Trust, client_of

TRUST = ("10.0.0.0/8", "fd00::/8")


def said(
    *, x: str | None = None, forwarded: str | None = None, proto: str | None = None, peer: str = "10.0.0.1"
) -> tuple[str, str]:
    fields = [text.encode("latin-1") if text is not None else None for text in (forwarded, x, proto)]
    return client_of(peer, fields[0], fields[1], fields[2], Trust(TRUST))


def test_the_rightmost_untrusted_address_is_the_client() -> None:
    assert said(x="1.1.1.1, 203.0.113.9, 10.0.0.7") == ("203.0.113.9", "")


def test_a_client_cannot_choose_its_address_by_writing_the_field_itself() -> None:
    assert said(x="127.0.0.1, 10.0.0.9, 203.0.113.9")[0] == "203.0.113.9"


def test_when_all_are_trusted_the_leftmost_is_the_client() -> None:
    assert said(x="10.0.0.9, 10.0.0.8")[0] == "10.0.0.9"


def test_nothing_is_believed_of_an_untrusted_peer() -> None:
    assert said(x="1.1.1.1", forwarded="for=2.2.2.2;proto=https", proto="https", peer="192.0.2.1") == ("192.0.2.1", "")


@pytest.mark.parametrize(
    "hop", ["unknown", "_hidden", "", "junk", "1.2.3", "[::1", "1.2.3.4:x", "fe80::1%eth0", "\xff"]
)
def test_a_hop_that_is_no_address_leaves_nobody_and_not_the_trusted_peer(hop: str) -> None:
    assert said(x=f"1.1.1.1, {hop}")[0] == ""
    assert said(forwarded=f"for=1.1.1.1, for={hop}")[0] == ""


def test_junk_left_of_the_client_is_not_looked_at() -> None:
    assert said(x="<script>, 203.0.113.9")[0] == "203.0.113.9"


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ("for=203.0.113.9", "203.0.113.9"),
        ('for="203.0.113.9:4711";proto=http;by=10.0.0.1', "203.0.113.9"),
        ('For="[2001:DB8::1]:4711"', "2001:db8::1"),
        ('for="[2001:db8::1]"', "2001:db8::1"),
        ("for=1.1.1.1, for=203.0.113.9;proto=https, for=10.0.0.7", "203.0.113.9"),
        ("proto=https", "10.0.0.1"),
    ],
)
def test_forwarded_is_read_as_rfc_7239_writes_it(value: str, client: str) -> None:
    assert said(forwarded=value)[0] == client


def test_a_quote_left_open_by_the_client_swallows_nothing() -> None:
    assert said(forwarded='for="evil, for=203.0.113.9;proto=https') == ("203.0.113.9", "https")


def test_x_forwarded_for_counts_where_both_are_there() -> None:
    assert said(x="203.0.113.9", forwarded="for=127.0.0.1")[0] == "203.0.113.9"


def test_the_scheme_is_that_of_the_clients_hop() -> None:
    assert said(x="203.0.113.9", proto="https") == ("203.0.113.9", "https")
    assert said(x="203.0.113.9, 10.0.0.2", proto="https, http") == ("203.0.113.9", "https")
    assert said(x="203.0.113.9, 10.0.0.2", proto="http") == ("203.0.113.9", "http")
    assert said(forwarded="for=203.0.113.9;proto=HTTPS") == ("203.0.113.9", "https")
    assert said(proto="https") == ("10.0.0.1", "https")


@pytest.mark.parametrize("proto", ["ftp", "https\r\nx: y", "javascript", ""])
def test_a_scheme_is_http_or_https_or_nothing(proto: str) -> None:
    assert said(x="203.0.113.9", proto=proto)[1] == ""


def test_a_walk_is_bounded() -> None:
    hops = ", ".join(["203.0.113.9"] + ["10.0.0.2"] * (HOPS_MAX + 5))
    assert said(x=hops)[0] == ""
    assert said(x=", ".join(["203.0.113.9"] + ["10.0.0.2"] * (HOPS_MAX - 1)))[0] == "203.0.113.9"


@given(st.text(st.characters(max_codepoint=255)), st.ip_addresses(v=4), st.booleans())
def test_whatever_a_client_writes_the_client_is_who_the_proxy_saw(
    written: str, seen: ipaddress.IPv4Address, standard: bool
) -> None:
    if ipaddress.ip_address(seen) in ipaddress.ip_network("10.0.0.0/8"):
        return
    if standard:
        assert said(forwarded=f"{written}, for={seen}")[0] == str(seen)
    else:
        assert said(x=f"{written}, {seen}")[0] == str(seen)


@given(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)))
def test_an_untrusted_peer_stays_who_it_is(x: str, forwarded: str) -> None:
    assert said(x=x, forwarded=forwarded, proto=x, peer="192.0.2.1") == ("192.0.2.1", "")


@given(st.text(st.characters(max_codepoint=255)))
def test_any_value_gives_an_address_or_nobody(value: str) -> None:
    for client, proto in (said(x=value, proto=value), said(forwarded=value)):
        assert client == "" or ipaddress.ip_address(client)
        assert proto in ("", "http", "https")


def test_the_memory_of_peers_is_bounded() -> None:
    trust = Trust(TRUST)
    for number in range(PEERS_MAX + 10):
        trust.sees(f"192.0.{number >> 8}.{number & 255}")
    assert len(trust._peers) <= PEERS_MAX
    assert trust.sees("10.9.9.9")
    assert not trust.sees("")
