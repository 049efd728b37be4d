"""From the lines that the gateway writes to fields."""

import pytest

from foregate.http2.answer import answer_fields, trailers


def test_lines_become_fields_without_the_status_line_and_what_speaks_of_a_connection() -> None:
    pieces = (b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nconnection: close\r\n", b"x-y: 1: 2 \r\n", b"")
    fields = [(b":status", b"200"), (b"content-type", b"a/b"), (b"x-y", b"1: 2"), (b"content-length", b"3")]
    assert answer_fields(200, pieces, 3) == fields
    assert answer_fields(200, pieces, 3) == fields  # remembered, and not changed by its first use


def test_a_trailer_that_would_break_out_of_its_line_goes_nowhere() -> None:
    assert trailers([(b"Grpc-Status", b"0")]) == [(b"grpc-status", b"0")]
    with pytest.raises(ValueError, match="line break"):
        trailers([(b"x", b"a\r\nb: c")])


def test_only_the_first_piece_must_end_with_a_line() -> None:
    pieces = (b"HTTP/1.1 200 OK\r\nserver: x\r\n", b"x-request-id: ", b"abc", b"\r\nage: ", b"1\r\n")
    fields = [(b":status", b"200"), (b"server", b"x"), (b"x-request-id", b"abc"), (b"age", b"1")]
    assert answer_fields(200, pieces, None) == fields
