"""What of a request's head is forwarded."""

import pytest

from foregate.gateway.heads import RequestNotes
from foregate.http1.headers import NO_TOKENS


@pytest.mark.parametrize(
    ("sent", "forwarded"),
    [
        (b"a=1; foregate_session=secret; b=2", b"cookie: a=1; b=2\r\n"),
        (b"foregate_session=secret", b""),
        (b"a=1; b=2", b"cookie: a=1; b=2\r\n"),
        (b"a=foregate_session=x", b"cookie: a=foregate_session=x\r\n"),
    ],
)
def test_the_consoles_session_never_reaches_a_service(sent: bytes, forwarded: bytes) -> None:
    notes = RequestNotes([(b"accept", b"*/*"), (b"cookie", sent)], NO_TOKENS)
    assert b"".join(line + b"\r\n" for line in notes.kept) == b"accept: */*\r\n" + forwarded


def test_an_api_key_never_reaches_a_service() -> None:
    notes = RequestNotes([(b"x-api-key", b"secret")], NO_TOKENS)
    assert b"secret" not in notes.forward(b"h", "127.0.0.1", b"")
