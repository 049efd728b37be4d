"""Raw requests, and what attackers and broken clients make of them. One `random.Random` decides everything."""

import random
import re

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
SEEDS = (
    b"GET /a?b=c HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
    b"HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(SMUGGLED), SMUGGLED),
    b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n",
    b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
    % (len(SMUGGLED), SMUGGLED),
    b"PUT http://a/abs?q HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, x-d\r\nX-D: 1\r\nContent-Length: 0\r\n\r\n",
    b"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD /0 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET /0 HTTP/1.0\r\n\r\n",
    b"POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
    b"POST /u HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n%s"
    % (len(SMUGGLED), SMUGGLED),
    b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n%s"
    % b"1\r\nh\r\n0\r\n\r\n",
    b"DELETE /d HTTP/1.1\r\nHost: a\r\nCookie: x=y\r\nTE: trailers\r\nConnection: te, close\r\n\r\n",
)  # fmt: skip
LENGTHS = tuple(
    line.replace(b"N", number)
    for number in (b"0", b"5", b"%d" % len(SMUGGLED))
    for line in (
        b"Content-Length: N\r\n", b"content-length:N\r\n", b"Content-Length: +N\r\n", b"Content-Length: -N\r\n",
        b"Content-Length: N, N\r\n", b"Content-Length: 0N\r\n", b"Content-Length: 0xN\r\n",
        b"Content-Length: N \r\n", b"Content-Length : N\r\n", b"Content-Length:\tN\r\n",
        b"Content-Length: N\r\n N\r\n", b"Content-Length:\r\n N\r\n", b"Content-Length: N\n",
        b"\nContent-Length: N\r\n", b"X: y\rContent-Length: N\r\n", b"Content_Length: N\r\n",
        b"Content-Length\x0b: N\r\n", b"Content-Length: \xd9\xa1\r\n", b"Content-Length: 18446744073709551617\r\n",
    )
)  # fmt: skip
CODINGS = (
    b"Transfer-Encoding: chunked\r\n", b"transfer-encoding:chunked\r\n", b"Transfer-Encoding : chunked\r\n",
    b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding: chunked, identity\r\n",
    b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n", b"Transfer-Encoding: \"chunked\"\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding:\r\n chunked\r\n",
    b"X: y\r\n Transfer-Encoding: chunked\r\n", b"X: y\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: CHUNKED\r\n", b" Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked;q=1\r\n",
    b"Transfer-Encoding\0: chunked\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    b"Transfer-Encoding:,chunked\r\n", b"Transfer-Encoding: \r\n",
)  # fmt: skip
FRAMINGS = (*LENGTHS, *CODINGS)
CHUNK_TRICKS = (
    b"0x5\r\nhello\r\n", b"5 \r\nhello\r\n", b" 5\r\nhello\r\n", b"5;\r\nhello\r\n", b"5;a=\"\r\n\"\r\nhello\r\n",
    b"5\nhello\r\n", b"5\r\nhello\n", b"5\rhello\r\n", b"+5\r\nhello\r\n", b"-1\r\nhello\r\n",
    b"00000000000000005\r\nhello\r\n", b"FFFFFFFFFFFFFFFF\r\nhello\r\n", b"10000000000000005\r\nhello\r\n",
    b"5\r\nhelloX\r\n", b"5\r\nhell\r\n", b"\r\n", b"0\r\n\r\n", b"0\r\nContent-Length: 5\r\n\r\n", b"0\r\n\n",
    b"0\n\r\n", b"0;\n\r\n", b"5;a\nb\r\nhello\r\n", b"g\r\n", b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", b"0\r\n folded: x\r\n\r\n",
)  # fmt: skip
SPICE = (
    b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b",", b";", b"\r\n ", b"\r\n\t", b"\n\n", b"\r\n\r\n", b"\x0b",
    b"\x0c", b"\x7f", b"\x80", b"\xff", b"0", b"-1", b"%2e", b"%00", b"#", b"?", b"//", b"HTTP/1.1",
    b" HTTP/1.1\r\n", b"HTTP/0.9", b"HTTP/1.0", b"HTTP/2.0", b"Host: b\r\n", b"Host: a\r\n", b"Host:\r\n",
    b"Host: a, b\r\n", b"Host: u@a\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n",
    b"Connection: content-length\r\n", b"Connection: host\r\n", b"Connection: transfer-encoding\r\n",
    b"Upgrade: h2c\r\nConnection: upgrade\r\n", b"Proxy-Connection: close\r\n", b"Expect: 100-continue\r\n",
    b"Expect: x\r\n", b"http://b/", b"http://a:80/", b"https://a/", b"chunked", b"CONNECT ",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"TRACE ", b"X" * 300, SMUGGLED,
)  # fmt: skip


def _insert(rng: random.Random, data: bytes, piece: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + piece + data[at:]


def _line_start(rng: random.Random, data: bytes) -> int:
    starts = [at + 2 for at in range(len(data) - 1) if data[at : at + 2] == b"\r\n"]
    return rng.choice(starts) if starts else 0


def mutated(rng: random.Random, data: bytes) -> bytes:
    """One change of any kind."""
    kind = rng.randrange(10)
    at = rng.randrange(len(data) + 1)
    if kind == 0:
        return _insert(rng, data, rng.choice(SPICE))
    if kind == 1:
        return data[:at] + data[at + rng.randint(1, 4) :]
    if kind == 2:
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    if kind == 3:
        stop = min(len(data), at + rng.randint(1, 40))
        return data[:stop] + data[at:stop] + data[stop:]
    if kind == 4:
        return data[:at] + rng.choice(SPICE) + data[at + rng.randint(0, 30) :]
    if kind == 5:
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :] if at < len(data) else data
    line = _line_start(rng, data)
    if kind == 6:
        return data[:line] + rng.choice(FRAMINGS) + data[line:]
    if kind == 7:
        return data[:line] + rng.choice(CHUNK_TRICKS) + data[line:]
    if kind == 8:
        return data[:line] + rng.choice(SPICE) + data[line:]
    other = rng.choice(SEEDS)  # splice
    return data[:at] + other[rng.randrange(len(other)) :]


def requests(rng: random.Random) -> bytes:
    """One to four pipelined requests; every eighth batch is left as it is, the others have one to five changes."""
    count = rng.randint(1, 4)
    data = rng.choice(SEEDS) * count if not rng.randrange(4) else b"".join(rng.choices(SEEDS, k=count))
    for _ in range(rng.randint(1, 5) if rng.randrange(8) else 0):
        data = mutated(rng, data)
    return data


def pieces(rng: random.Random, data: bytes) -> list[bytes]:
    """How the bytes arrive: at once, head by head, in a few pieces, or byte by byte."""
    kind = rng.randrange(8)
    if kind < 2 or not data:
        return [data]
    if kind < 4:
        return re.findall(rb".*?\r\n\r\n|.+", data, re.DOTALL)
    if kind == 7 and len(data) < 400:
        return [data[at : at + 1] for at in range(len(data))]
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randint(1, 6)))
    return [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True) if start < stop]
