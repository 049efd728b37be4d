"""From findings to decisions: how long, and for whom never."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foregate.abuse import Finding, decide, is_allowed, length_s
from foregate.wire.abuse import Abuse

NOW_S = 1_700_000_000.0


def finding(subject: str = "ip:192.0.2.1") -> Finding:
    return Finding(subject, "sweep", "40 paths that are not there", NOW_S - 5.0, NOW_S - 1.0)


def an_id(kind: str) -> str:
    return f"{kind}_1"


def test_blocks_grow_from_a_minute_to_a_day() -> None:
    lengths = [length_s(times, Abuse()) for times in range(1, 9)]
    assert lengths == [60.0, 240.0, 960.0, 3_840.0, 15_360.0, 61_440.0, 86_400.0, 86_400.0]
    assert length_s(10**9, Abuse()) == 86_400.0


@given(st.integers(1, 10_000), st.floats(1, 1_000), st.floats(1, 100), st.floats(0, 80_000))
def test_a_block_is_never_shorter_than_the_one_before_nor_longer_than_the_longest(
    times: int, block_s: float, growth: float, more_s: float
) -> None:
    settings = Abuse(block_s=block_s, growth=growth, block_s_max=block_s + more_s)
    assert block_s <= length_s(times, settings) <= length_s(times + 1, settings) <= block_s + more_s


def test_a_decision_says_why_since_when_and_until_when() -> None:
    made = decide(finding(), Abuse(mode="block"), 2, NOW_S, an_id)
    assert made is not None
    assert (made.id, made.effect, made.times, made.since_s) == ("blk_1", "block", 3, NOW_S - 5.0)
    assert (made.made_s, made.until_s, made.reason) == (NOW_S, NOW_S + 960.0, finding().reason)


def test_observing_blocks_nobody_and_off_says_nothing() -> None:
    observed = decide(finding(), Abuse(), 0, NOW_S, an_id)
    assert observed is not None
    assert observed.effect == "observe"
    assert decide(finding(), Abuse(mode="off"), 0, NOW_S, an_id) is None


@pytest.mark.parametrize(
    ("subject", "allowed"),
    [
        ("ip:10.1.2.3", True),
        ("ip:11.1.2.3", False),
        ("ip:2001:db8:7:8::/64", True),  # a part of it is allowed
        ("ip:2001:db8:7:9::/64", False),
        ("ip:127.0.0.1", False),  # only where it is in the list
        ("key:good", True),
        ("key:bad", False),
        ("key:10.1.2.3", False),
        ("ip:nonsense", False),
    ],
)
def test_the_allow_list_knows_networks_and_keys(subject: str, allowed: bool) -> None:
    settings = Abuse(mode="block", allow_networks=("10.0.0.0/8", "2001:db8:7:8::1"), allow_keys=("good",))
    assert is_allowed(subject, settings) == allowed
    assert (decide(finding(subject), settings, 0, NOW_S, an_id) is None) == allowed


def test_this_machine_is_allowed_unless_said_otherwise() -> None:
    assert is_allowed("ip:127.0.0.1", Abuse())
    assert is_allowed("ip:::/64", Abuse())
