"""What of an upstream's head reaches the client."""

from foregate.gateway.heads import answer_fields


def test_fields_of_the_hop_and_of_ours_are_dropped() -> None:
    headers = [
        (b"server", b"up"),
        (b"connection", b"keep-alive"),
        (b"content-length", b"2"),
        (b"transfer-encoding", b"chunked"),
        (b"x-request-id", b"theirs"),
        (b"x-gateway-service", b"theirs"),
        (b"etag", b'"1"'),
    ]
    assert answer_fields(200, headers) == b'HTTP/1.1 200 OK\r\nserver: up\r\netag: "1"\r\n'


def test_fields_named_by_connection_are_dropped_wherever_they_stand() -> None:
    headers = [(b"x-mine", b"1"), (b"connection", b"X-Mine, close"), (b"x-kept", b"1"), (b"x-mine", b"2")]
    assert answer_fields(404, headers) == b"HTTP/1.1 404 Not Found\r\nx-kept: 1\r\n"


def test_no_service_sets_the_consoles_session() -> None:
    headers = [(b"set-cookie", b"foregate_session=stolen; Path=/"), (b"set-cookie", b"theirs=1"), (b"a", b"b")]
    assert answer_fields(200, headers) == b"HTTP/1.1 200 OK\r\nset-cookie: theirs=1\r\na: b\r\n"


def test_a_head_without_fields_is_a_status_line() -> None:
    assert answer_fields(299, []).startswith(b"HTTP/1.1 299 ")
    assert answer_fields(200, []) == b"HTTP/1.1 200 OK\r\n"
