"""Hosts: one name is one host, however it is spelt, and looking it up costs what the rules ask for."""

from typing import Any

import pytest

from foregate.gateway.match import Match, Router
from foregate.gateway.match.hosts import normalise
from foregate.wire.match import Rule


def taken_by(rules: list[Rule], host: bytes) -> int | None:
    found = Router([(rule, index) for index, rule in enumerate(rules)]).find(b"GET", host, b"/", b"", [])
    return found.value if isinstance(found, Match) else None


@pytest.mark.parametrize(
    "host",
    [b"[2001:db8::1]", b"[2001:DB8:0:0::1]", b"[2001:0db8:0000:0000:0000:0000:0000:0001]:8443", b"[2001:db8::0.0.0.1]"],
)
def test_an_ipv6_address_is_one_host_however_it_is_spelt(host: bytes) -> None:
    for configured in ("[2001:db8::1]", "[2001:DB8:0::0:1]"):
        assert taken_by([Rule(), Rule(hosts=(configured,))], host) == 1
    assert taken_by([Rule(), Rule(hosts=("[2001:db8::2]",))], host) == 0


def test_the_name_the_case_and_the_last_dot_make_no_other_host() -> None:
    assert normalise(b"Admin.Example.COM.") == (b"admin.example.com", b"")
    assert normalise(b"admin.example.com.:8443") == (b"admin.example.com", b"8443")


class Counted(dict[Any, Any]):
    asked = 0

    def get(self, key: Any, default: Any = None) -> Any:
        self.asked += 1
        return super().get(key, default)


def test_a_host_of_many_dots_is_looked_up_as_often_as_the_longest_wildcard_has_labels() -> None:
    router = Router([(Rule(hosts=("*.example.com",)), 1), (Rule(hosts=("*.b.example.com",)), 2)])
    counted = router._wildcards = Counted(router._wildcards)
    for host in (b"." * 255, b"a." * 127 + b"a", b"a." * 100 + b"b.example.com"):
        counted.asked = 0
        found = router.find(b"GET", host, b"/", b"", [])
        assert counted.asked <= 3, host
    assert isinstance(found, Match)
    assert found.value == 2
