"""Mutated requests with a fixed seed: no crash, no hang, and every body that arrives was framed without ambiguity."""

import random
from types import SimpleNamespace

from foregate.http1.exchange import Exchange
from foregate.http1.head import Refusal, RequestHead, judge
from foregate.http1.intake import RequestIntake

SEED = 20_261_121
MUTATIONS = 20_000
VALID = [
    b"GET /a?b=c HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n\r\n",
    b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n",
    b"PUT http://a/abs HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, x-drop\r\nX-Drop: 1\r\nContent-Length: 0\r\n\r\n",
    b"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
]
SPICE = [
    b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b",", b"\r\n ", b"\n\n", b"\x0b", b"\xff", b"0", b"-1", b"%2e",
    b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: x\r\n",
    b"Host: b\r\n", b"Upgrade: h2c\r\nConnection: upgrade\r\n", b"HTTP/1.1", b"chunked", b"0\r\n\r\n",
    b"GET / HTTP/1.1\r\n",
]  # fmt: skip


class _Nobody:
    """Stands where the connection is; the intake asks it for nothing but whether to hand on names with "_"."""

    context = SimpleNamespace(underscores=True)


def mutate(rng: random.Random) -> bytes:
    data = b"".join(rng.choices(VALID, k=rng.randint(1, 3)))
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            data = data[:at] + rng.choice(SPICE) + data[at:]
        elif kind == 1:
            data = data[:at] + data[at + rng.randint(1, 4) :]
        elif kind == 2:
            data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        elif kind == 3:
            stop = min(len(data), at + rng.randint(1, 40))
            data = data[:stop] + data[at:stop] + data[stop:]
        else:
            data = data[:at] + rng.choice(SPICE) + data[at + rng.randint(0, 30) :]
    return data


def parse(data: bytes, cuts: list[int]) -> tuple[list[Exchange], Refusal | None]:
    intake = RequestIntake(_Nobody(), 1_000_000)  # type: ignore[arg-type]
    for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
        intake.feed(data[start:stop])
    return list(intake.queue), intake.refusal


def meaning(exchanges: list[Exchange]) -> list[tuple[bytes, bytes, bytes, bool]]:
    return [(each.method, each.target, b"".join(each.inbox), each.complete) for each in exchanges]


def test_a_mutated_request_means_the_same_however_it_is_cut() -> None:
    rng = random.Random(SEED)
    refused = 0
    for _ in range(MUTATIONS):
        data = mutate(rng)
        whole, refusal = parse(data, [])
        cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randint(1, 8)))
        pieces, again = parse(data, cuts)
        assert meaning(pieces) == meaning(whole), data
        assert (refusal is None) == (again is None), data
        refused += refusal is not None
    assert MUTATIONS // 4 < refused < MUTATIONS  # the mutations are neither tame nor hopeless


def test_whatever_is_accepted_has_one_framing_one_host_and_clean_fields() -> None:
    rng = random.Random(SEED + 1)
    accepted = 0
    for _ in range(MUTATIONS):
        for each in parse(mutate(rng), [])[0]:
            accepted += 1
            names = [name for name, _ in each.headers]
            assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
            assert names.count(b"host") <= 1
            assert each.version == "1.0" or b"host" in names
            assert not any(set(name + value) & set(b"\r\n\0") for name, value in each.headers)
            assert each.target.startswith(b"/") or each.target == b"*"
            if each.complete and each.head.content_length is not None:
                assert sum(map(len, each.inbox)) == each.head.content_length
            assert isinstance(judge(each.method, each.headers, each.version), RequestHead)
    assert accepted > MUTATIONS // 4
