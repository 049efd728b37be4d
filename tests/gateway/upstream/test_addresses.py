"""Looking names up: seldom, in the background, and never forgetting the last good answer."""

import asyncio
from collections.abc import Sequence

from tests.http1.world import run

from foregate.gateway.upstream.addresses import SHUNNED_S, Address, Addresses, in_turn
from foregate.kernel.clock import ManualClock

A, B, C = ("10.0.0.1", 80), ("10.0.0.2", 80), ("10.0.0.3", 80)


class Book:
    """A resolver whose answer is set; counts how often it was asked."""

    def __init__(self, *answer: Address) -> None:
        self.answer: Sequence[Address] | OSError = answer
        self.asked = 0
        self.slow = asyncio.Event()
        self.slow.set()

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.asked += 1
        await self.slow.wait()
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


class Named:
    def __init__(self, book: Book, host: str = "svc.internal") -> None:
        self.clock = ManualClock()
        self.gone: list[Address] = []
        self.failures: list[str] = []
        self.addresses = Addresses(host, 80, 30.0, self.clock, book, self.gone.extend, self.failures.append)


def test_an_answer_is_used_for_its_time_and_no_longer() -> None:
    async def main() -> None:
        book = Book(A, B)
        named = Named(book)
        for _ in range(5):
            assert set(await named.addresses.candidates()) == {A, B}
        assert book.asked == 1
        named.clock.advance(30.0)
        book.answer = (B, C)
        assert set(await named.addresses.candidates()) == {B, C}
        assert (book.asked, named.gone) == (2, [A])

    run(main)


def test_connections_are_spread_over_all_addresses() -> None:
    async def main() -> None:
        named = Named(Book(A, B, C))
        first = [(await named.addresses.candidates())[0] for _ in range(9)]
        assert sorted(first) == [A] * 3 + [B] * 3 + [C] * 3

    run(main)


def test_when_the_lookup_fails_the_last_answer_stays() -> None:
    async def main() -> None:
        book = Book(A)
        named = Named(book)
        await named.addresses.candidates()
        for answer in (OSError("no server"), ()):
            named.clock.advance(30.0)
            book.answer = answer
            assert await named.addresses.candidates() == [A]
        assert named.failures == ["OSError: no server", "no address"]
        assert named.gone == []

    run(main)


def test_a_name_that_was_never_found_has_no_address() -> None:
    async def main() -> None:
        book = Book()
        book.answer = OSError("unknown")
        assert await Named(book).addresses.candidates() == []

    run(main)


def test_many_who_need_the_name_at_once_share_one_lookup() -> None:
    async def main() -> None:
        book = Book(A)
        book.slow.clear()
        named = Named(book)
        waiting = [asyncio.ensure_future(named.addresses.candidates()) for _ in range(20)]
        await asyncio.sleep(0.01)
        book.slow.set()
        assert await asyncio.gather(*waiting) == [[A]] * 20
        assert book.asked == 1

    run(main)


def test_a_slow_lookup_does_not_hold_up_who_has_an_older_answer() -> None:
    async def main() -> None:
        book = Book(A)
        named = Named(book)
        await named.addresses.candidates()
        named.clock.advance(30.0)
        book.slow.clear()
        assert await asyncio.wait_for(named.addresses.candidates(), 10.0) == [A]
        book.slow.set()

    run(main)


def test_when_all_addresses_fail_the_name_is_looked_up_at_once_but_not_in_a_storm() -> None:
    async def main() -> None:
        book = Book(A)
        named = Named(book)
        tried = await named.addresses.candidates()
        book.answer = (B,)
        assert await named.addresses.others_than(tried) == []  # it was looked up this very second
        named.clock.advance(1.0)
        assert await named.addresses.others_than(tried) == [B]
        assert await named.addresses.others_than([B]) == []
        assert book.asked == 2

    run(main)


def test_an_address_is_never_looked_up() -> None:
    async def main() -> None:
        for host in ("127.0.0.1", "::1"):
            book = Book()
            named = Named(book, host)
            named.clock.advance(1_000.0)
            assert await named.addresses.candidates() == [(host, 80)]
            assert await named.addresses.others_than([(host, 80)]) == []
            assert (book.asked, named.addresses.stale) == (0, False)

    run(main)


def test_an_address_that_has_just_failed_is_tried_last_for_a_while() -> None:
    shunned = {A: SHUNNED_S}
    assert in_turn((A, B, C), 0, shunned, 0.0) == [B, C, A]
    assert in_turn((A, B, C), 0, shunned, SHUNNED_S) == [A, B, C]
    assert in_turn((A,), 5, shunned, 0.0) == [A]
