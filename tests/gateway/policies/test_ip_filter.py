"""Who may come in by address."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.policies.asking import ask, means

from foregate.gateway.policies.ip_filter import ADDRESSES_MAX, IpFilterPolicy, decide
from foregate.gateway.policies.networks import Networks
from foregate.gateway.policies.policy import Place, Refuse
from foregate.wire.policies import IpFilter

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


def networks_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> st.SearchStrategy[str]:
    lengths = st.integers(0, address.max_prefixlen)
    return lengths.map(lambda bits: str(ipaddress.ip_network((address, bits), strict=False)))


@given(ADDRESSES.flatmap(lambda a: st.tuples(st.just(a), networks_of(a))), st.lists(ADDRESSES.flatmap(networks_of)))
def test_an_address_is_covered_exactly_when_the_standard_library_says_so(
    near: tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, str], others: list[str]
) -> None:
    address, own = near
    judged = ipaddress.ip_address(address)
    mapped = judged.ipv4_mapped if isinstance(judged, ipaddress.IPv6Address) else None
    for texts in (others, [*others, own]):
        wanted = [ipaddress.ip_network(text) for text in texts]
        if mapped is None and not any(str(net).startswith("::ffff:") for net in wanted):
            expected = any(judged in net for net in wanted if net.version == judged.version)
            assert Networks(texts).covers(str(judged)) is expected


@pytest.mark.parametrize("address", ["::ffff:10.1.2.3", "::FFFF:a01:203", "10.1.2.3"])
@pytest.mark.parametrize("network", ["10.1.0.0/16", "::ffff:10.1.0.0/112"])
def test_ipv4_is_the_same_however_it_is_written(address: str, network: str) -> None:
    assert Networks([network]).covers(address)


def test_a_zone_is_no_part_of_an_address() -> None:
    assert Networks(["fe80::/10"]).covers("fe80::1%eth0")


@pytest.mark.parametrize(
    "text", ["", "junk", "1.2.3.4/33", "::/129", "1.2.3/8", "1.2.3.4/", "1.2.3.4/x", "::ffff:0:0/90"]
)
def test_what_is_no_network_does_not_load(text: str) -> None:
    with pytest.raises(ValueError, match="is not a network"):
        Networks([text])


@pytest.mark.parametrize("address", ["", "unix", "1.2.3", "1.2.3.4.5", "010.0.0.1", "1\0.2.3.4"])
def test_what_is_no_address_is_in_no_network(address: str) -> None:
    assert not Networks(["0.0.0.0/0", "::/0"]).covers(address)


def test_deny_is_asked_before_allow() -> None:
    allow, deny = Networks(["10.0.0.0/8"]), Networks(["10.6.6.0/24"])
    assert decide("10.1.1.1", allow, deny)
    assert not decide("10.6.6.6", allow, deny)
    assert not decide("11.0.0.1", allow, deny)
    assert decide("11.0.0.1", None, deny)


def test_the_policy_refuses_with_forbidden_and_lets_others_pass() -> None:
    policy = IpFilterPolicy(IpFilter(deny=("192.0.2.0/24",)), means(), Place())
    for _ in range(2):  # the second time from memory
        refused = policy.admit(ask(peer="192.0.2.9"))
        assert isinstance(refused, Refuse)
        assert refused.code == "forbidden"
        assert policy.admit(ask(peer="198.51.100.1")) is None


def test_a_client_without_an_address_is_in_no_list() -> None:
    assert IpFilterPolicy(IpFilter(allow=("0.0.0.0/0", "::/0")), means(), Place()).admit(ask(peer="")) is not None
    assert IpFilterPolicy(IpFilter(deny=("0.0.0.0/0",)), means(), Place()).admit(ask(peer="")) is None


def test_it_judges_by_what_trusted_proxies_say_not_by_the_peer() -> None:
    policy = IpFilterPolicy(IpFilter(deny=("192.0.2.0/24",)), means(), Place())
    request = ask(peer="10.0.0.1")
    request.client = "192.0.2.7"
    assert policy.admit(request) is not None


def test_the_memory_of_addresses_is_bounded() -> None:
    policy = IpFilterPolicy(IpFilter(deny=("192.0.2.0/24",)), means(), Place())
    request = ask()
    for number in range(ADDRESSES_MAX + 10):
        request.client = f"10.{number >> 16}.{(number >> 8) & 255}.{number & 255}"
        policy.admit(request)
    assert len(policy._judged) <= ADDRESSES_MAX


def test_ten_thousand_networks_still_tell_each_address_apart() -> None:
    texts = [f"10.{n >> 8}.{n & 255}.{n % 16 * 16}/{24 + n % 9}" for n in range(10_000)]
    known = Networks(texts)
    slow = [ipaddress.ip_network(text, strict=False) for text in texts[:200]]
    for n in range(200):
        address = f"10.0.{n}.17"
        expected = any(ipaddress.ip_address(address) in net for net in slow)
        assert known.covers(address) is expected
