"""Redirects lead where they are meant to, whatever the client writes into them."""

import pytest

from foregate.gateway.policies.respond import location


@pytest.mark.parametrize(
    ("to", "params", "expected"),
    [
        ("/orders/${param.rest}", {"rest": "a b/c"}, b"/orders/a%20b/c"),
        ("/orders/${rest}", {"rest": "7"}, b"/orders/7"),
        ("/by-id/${param.1}", {"1": "7"}, b"/by-id/7"),
        ("https://${host}${path}${query}", {}, b"https://example.com/old/x?a=1"),
        ("/${param.rest}", {"rest": "/evil.example"}, b"/evil.example"),
        ("/x/${param.id}", {"id": "7?a=1#b\r\nx: y"}, b"/x/7%3Fa%3D1%23b%0D%0Ax%3A%20y"),
    ],
)
def test_a_location_holds_what_its_placeholders_name(to: str, params: dict[str, str], expected: bytes) -> None:
    assert location(to, b"/old/x", b"?a=1", b"example.com", params) == expected


@pytest.mark.parametrize("path", [b"//evil.example/x", b"/\\evil.example", b"\\\\evil.example"])
def test_a_path_of_the_client_stays_a_path(path: bytes) -> None:
    assert location("${path}", path, b"", b"example.com", {}) in (b"/evil.example/x", b"/evil.example")


def test_nothing_ends_the_header_line() -> None:
    assert b"\r" not in location("/a${path}", b"/x\r\nset-cookie: a", b"", b"h", {})
