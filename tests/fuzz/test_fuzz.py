"""Mutated raw requests through the real engine: no crash, no hang, never two messages where one was sent."""

import random

import pytest
from tests.fuzz.__main__ import SEED
from tests.fuzz.gateway_rig import GatewayRig
from tests.fuzz.judge import case, client_messages
from tests.fuzz.oracle import Ambiguous, read_request
from tests.fuzz.rig import Rig

CASES = 20_000


@pytest.mark.parametrize("part", range(4))
def test_mutated_requests_reach_the_upstream_as_they_were_plainly_sent_or_not_at_all(part: int) -> None:
    size = CASES // 4
    first = SEED + part * size
    outcomes = [case(seed, Rig if part % 2 else GatewayRig) for seed in range(first, first + size)]
    assert sum(outcome.refused for outcome in outcomes) > size // 4  # neither tame
    assert sum(outcome.reached for outcome in outcomes) > size // 4  # nor hopeless


def test_the_rig_itself_notices_a_message_that_nobody_sent() -> None:
    rig = Rig(random.Random(1))
    rig.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    with pytest.raises(AssertionError, match="more messages"):
        rig.upstreams[0].wire.write(b"GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\nZ: z\r\n\r\n",
        b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n folded\r\n\r\n",
    ],
)
def test_the_oracle_calls_what_is_known_to_be_ambiguous_ambiguous(data: bytes) -> None:
    with pytest.raises(Ambiguous):
        read_request(data, 0, from_client=True)
    assert client_messages(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + data)[0][0].start == (b"GET", b"/")
