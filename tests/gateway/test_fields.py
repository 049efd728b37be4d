"""Which of a client's fields are sent on."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.world import gateway, raw_upstream, run, service, talk, upstream

from foregate.gateway.fields import Fields
from foregate.http1.head import RequestHead, judge
from foregate.wire.snapshot import ClientBounds

_NAMES = st.text("abx-_", min_size=1, max_size=8).map(str.encode)


@given(st.lists(st.tuples(_NAMES, st.just(b"v_1"))), st.frozensets(_NAMES, max_size=2), st.booleans())
def test_no_name_with_an_underscore_is_sent_on_unless_it_is_wanted(
    headers: list[tuple[bytes, bytes]], tokens: frozenset[bytes], underscores: bool
) -> None:
    kept = Fields(headers, tokens, underscores).kept
    assert list(kept) == [
        name + b": " + value for name, value in headers if name not in tokens and (underscores or b"_" not in name)
    ]


def test_names_that_upstreams_confuse_with_ours_are_not_sent_on() -> None:
    asked = (
        b"POST / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1.2.3.4\r\nContent_Length: 7\r\nX-Plain: a_b\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\nX_Forwarded_Proto: https\r\nX-Sum: 1\r\n\r\n"
    )

    async def main(clients: ClientBounds, expected: list[bytes]) -> None:
        received = bytearray()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
            received.extend(await reader.readuntil(b"x-sum: 1\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX_Theirs: 1\r\n\r\n")
            await reader.read()

        async with raw_upstream(serve) as port, gateway([service(port)], clients=clients) as world:
            assert b"x_theirs: 1" in await talk(world.port, asked)  # answers are the upstream's business
        assert b"x-plain: a_b\r\n" in received
        assert [line for line in received.split(b"\r\n") if b"_" in line.partition(b":")[0]] == expected

    run(lambda: main(ClientBounds(), []))
    wanted = [b"x_forwarded_for: 1.2.3.4", b"content_length: 7", b"x_forwarded_proto: https"]
    run(lambda: main(ClientBounds(underscores=True), wanted))


@pytest.mark.parametrize(
    ("lines", "sent"),
    [
        ([b"trailers"], True),
        ([b"Trailers , deflate;q=0.5"], True),
        ([b"deflate", b"trailers", b"trailers"], True),
        ([b"deflate"], False),
        ([b"x-trailers"], False),
        ([], False),
    ],
)
def test_that_a_client_takes_trailers_is_said_to_the_upstream_and_nothing_else_of_te(
    lines: list[bytes], sent: bool
) -> None:
    headers = [(b"connection", b"te, x-hop"), *((b"te", value) for value in lines), (b"x-hop", b"1"), (b"a", b"b")]
    head = judge(b"GET", [(b"host", b"a"), *headers], "1.1")
    assert isinstance(head, RequestHead)
    kept = Fields(headers, head.connection_tokens).kept
    assert sorted(kept) == sorted([b"a: b", *([b"te: trailers", b"connection: te"] if sent else [])])


def test_te_trailers_reaches_the_upstream() -> None:
    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(port)]) as world:
            for line, told in (("TE: trailers\r\n", ("trailers", "te")), ("TE: gzip\r\n", (None, None))):
                await talk(world.port, f"GET / HTTP/1.1\r\nHost: a\r\n{line}Connection: TE, close\r\n\r\n".encode())
                request = seen.requests.pop()
                assert (request.header("te"), request.header("connection")) == told

    run(main)
