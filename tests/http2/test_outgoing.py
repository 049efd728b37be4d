"""Requests as HTTP/1.1 writes them become the fields and pieces of HTTP/2."""

from hypothesis import given, settings
from hypothesis import strategies as st
from ngh2 import NeverIndexedHeader

from foregate.http1.trailers import frame
from foregate.http2.outgoing import fields_of, unframed


def test_a_head_becomes_fields_with_the_pseudo_fields_first() -> None:
    head = (
        b"POST /a?b=c:d HTTP/1.1\r\nhost: x.example:81\r\nX-Own:  a: b \r\nconnection: te\r\nte: trailers\r\n"
        b"transfer-encoding: chunked\r\ncontent-length: 3\r\nauthorization: Bearer z\r\nupgrade: h2c"
    )
    fields = fields_of(head, b"https")
    assert [tuple(field) for field in fields] == [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", b"x.example:81"),
        (b":path", b"/a?b=c:d"),
        (b"x-own", b"a: b"),
        (b"te", b"trailers"),
        (b"content-length", b"3"),
        (b"authorization", b"Bearer z"),
    ]
    assert isinstance(fields[-1], NeverIndexedHeader)  # the table of fields is shared by all clients of a connection


def test_an_empty_host_is_no_authority() -> None:
    names = [field[0] for field in fields_of(b"GET / HTTP/1.1\r\nhost: ", b"http")]
    assert names == [b":method", b":scheme", b":path"]


def test_te_is_sent_for_trailers_alone() -> None:
    assert (b"te", b"gzip") not in fields_of(b"GET / HTTP/1.1\r\nhost: a\r\nte: gzip", b"http")


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    st.lists(st.binary(max_size=50), max_size=5),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from([b"x-a", b"x-b"]), st.sampled_from([b"", b"1", b"a: b"])), max_size=3),
)
def test_what_was_framed_is_unframed(chunks: list[bytes], complete: bool, trailers: list[tuple[bytes, bytes]]) -> None:
    found, after = unframed(frame(chunks, complete, trailers if complete else ()))
    assert found == [chunk for chunk in chunks if chunk]
    assert list(after) == (trailers if complete else [])
