"""One case: send mutated bytes through the rig, and compare what came of them with what the oracle reads in them."""

import random
from collections.abc import Callable
from typing import NamedTuple

from tests.fuzz.mutator import pieces, requests
from tests.fuzz.oracle import Ambiguous, Message, read_answer, read_request
from tests.fuzz.rig import Rig


class Outcome(NamedTuple):
    """How a case went: messages that the oracle finds in the client's bytes, that reached an upstream, and refusals."""

    sent: int
    reached: int
    refused: bool


class Finding(AssertionError):
    """A promise was broken; the message names it and shows the bytes."""


def client_messages(data: bytes) -> tuple[list[Message], str]:
    """What the client plainly sent, and how it goes on: "" at its end, "incomplete", or why it is ambiguous."""
    messages: list[Message] = []
    at = 0
    try:
        while at < len(data):
            message = read_request(data, at, from_client=True)
            if message is None:
                return messages, "incomplete" if data[at:].strip(b"\r\n") else ""
            messages.append(message)
            at = message.end
    except Ambiguous as why:
        return messages, str(why)
    return messages, ""


def case(seed: int, make: Callable[[random.Random], Rig] = Rig) -> Outcome:
    """Raises Finding."""
    rng = random.Random(seed)
    data = requests(rng)
    rig = make(rng)
    try:
        for piece in pieces(rng, data):
            rig.send(piece)
        rig.run()
        messages, tail = client_messages(data)
        _compare(rig, messages, tail)
        refused = _answers(rig, messages, tail)
        if rig.server.transport is not None:  # it is told so once
            rig.server.connection_lost(None)  # the client goes; whatever is under way must end with it
        rig.run()
        _released(rig)
    except Exception as error:
        raise Finding(f"seed {seed}: {type(error).__name__}: {error}\n{data!r}") from error
    return Outcome(len(messages), len(rig.reaching), refused)


def _compare(rig: Rig, messages: list[Message], tail: str) -> None:
    """Each message at an upstream is one that the client plainly sent: same method, target and body, and only once."""
    numbers = [number for number, _ in rig.reaching]
    assert len(set(numbers)) == len(numbers), "one request reached the upstream twice"
    for number, message in rig.reaching:
        assert number < len(messages), f"forwarded what is not plainly a request: {message.start} ({tail})"
        assert message.start == messages[number].start, f"{messages[number].start} became {message.start}"
        assert message.body == messages[number].body, f"the body of {message.start} was changed"
        _hop_by_hop(message, messages[number])


def _hop_by_hop(message: Message, sent: Message) -> None:
    named = {token.strip().lower() for value in sent.values(b"connection") for token in value.split(b",")}
    names = {name for name, _ in message.fields}
    if b"te" in names:  # that trailers are welcome each hop says for itself
        takes = b",".join(sent.values(b"te")).lower().split(b",")
        assert b"trailers" in map(bytes.strip, takes), "trailers were asked for by nobody"
        assert (message.values(b"te"), message.values(b"connection")) == ([b"trailers"], [b"te"])
        names -= {b"te", b"connection"}
    assert not names & (named - {b"host", b"content-length", b"transfer-encoding"}), "a hop-by-hop field was forwarded"
    assert not names & {b"connection", b"upgrade", b"te", b"proxy-connection"}, "a hop-by-hop field was forwarded"


def _answers(rig: Rig, messages: list[Message], tail: str) -> bool:
    """Answers are whole, in order, one per request; without a close, all requests were answered. True: refused."""
    closed = rig.wire.closed or rig.wire.half_closed
    at, final, refused = 0, 0, False
    while at < len(rig.answers):
        method = messages[final].start[0] if final < len(messages) else b""
        answer = _read(rig.answers, at, method, closed=closed)
        if answer is None:
            assert rig.wire.closed or not closed, "an answer was cut off by an orderly close"
            assert rig.wire.closed or tail == "incomplete", "an answer was never finished"
            break
        at = answer.end
        final += int(answer.start[0]) >= 200
        refused = answer.start[0][:1] == b"4" and b"problem+json" in b"".join(answer.values(b"content-type"))
    assert final <= max(len(messages), rig.begun) + 1, "more answers than requests"
    if not closed:
        assert tail in ("", "incomplete"), f"not refused: {tail}"
        assert final >= len(messages), f"hangs: {len(messages)} requests, {final} answers"
    return refused


def _read(data: bytes, at: int, method: bytes, *, closed: bool) -> Message | None:
    """The answer at `at`. The last one may be for a HEAD that was incomplete, or too broken to be known for one."""
    answer = read_answer(data, at, method, closed=closed)
    other = b"" if method == b"HEAD" else b"HEAD"
    doubtful = not method or data[at : at + 10] == b"HTTP/1.1 4"
    if closed and doubtful and (answer is None or answer.end < len(data)):
        last = read_answer(data, at, other, closed=closed)
        return last if last is not None and last.end == len(data) else answer
    return answer


def _released(rig: Rig) -> None:
    for upstream in rig.upstreams:
        assert upstream.wire.closed or upstream.connection.usable, "an upstream connection was left in use"
