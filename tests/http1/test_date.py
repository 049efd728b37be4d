"""The Date field."""

import email.utils
import random

import pytest
from tests.http1.world import Seen, run, serving, talk

from foregate.http1.date import http_date


def test_the_format_is_that_of_rfc_9110() -> None:
    assert http_date(784_111_777.9) == b"Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize("seed", range(3))
def test_every_second_has_its_own_date_in_any_order(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(2_000):
        now_s = rng.uniform(0, 4e9)
        assert http_date(now_s).decode() == email.utils.formatdate(int(now_s), usegmt=True)


def test_our_own_refusals_say_when() -> None:
    async def main() -> bytes:
        async with serving(Seen()) as port:
            return await talk(port, b"GET / HTTP/1.1\r\n\r\n")

    assert b"\r\ndate: " in run(main)


def test_a_refused_head_has_no_body() -> None:
    async def main() -> bytes:
        async with serving(Seen()) as port:
            return await talk(port, b"HEAD / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n")

    answer = run(main)
    assert answer.startswith(b"HTTP/1.1 417 ")
    assert answer.endswith(b"\r\n\r\n")
