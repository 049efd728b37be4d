"""Signed requests: what is taken once, and what never."""

import hmac
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.policies.asking import ask, means

from foregate.gateway.policies import hmac as module
from foregate.gateway.policies.hmac import HmacPolicy, Replays, parse, signed_text
from foregate.gateway.policies.policy import Consumer, NeedBody, Place, Refuse
from foregate.kernel.clock import ManualClock
from foregate.wire.policies import Hmac

NOW = 1_700_000_000
SECRET = b"a shared secret"
CLOCK = ManualClock(NOW)


def policy(**more: Any) -> HmacPolicy:
    return HmacPolicy(Hmac({"acme": SECRET.decode()}, **more), means(clock=CLOCK), Place())


def sign(
    method: bytes = b"GET", target: bytes = b"/a?b=1", ts: int = NOW, body: bytes = b"", secret: bytes = SECRET
) -> bytes:
    text = b"\n".join([method, target, b"%d" % ts, sha256(body).hexdigest().encode()])
    return b"keyid=acme,ts=%d,sig=%s" % (ts, hmac.new(secret, text, "sha256").hexdigest().encode())


def asked(value: bytes, method: bytes = b"GET", target: bytes = b"/a?b=1", body: bytes | None = None) -> Any:
    headers = [(b"x-signature", value)]
    if body is not None:
        headers.append((b"content-length", b"%d" % len(body)))
    return ask(method, target, headers, body=body)


def refused(found: Any) -> str:
    assert isinstance(found, Refuse), found
    assert found.code == "signature_invalid"
    assert found.lines.startswith(b"www-authenticate: HMAC-SHA256 ")
    return found.detail


def test_a_right_signature_says_who_asks_and_is_not_sent_on() -> None:
    request = asked(sign())
    assert policy().identify(request) == Consumer("hmac:acme", name="acme")
    assert list(request.kept) == []


def test_a_key_of_that_name_is_who_asks() -> None:
    known = Consumer("k1", "org", "gold", "plan:gold", "acme")
    given = means(clock=CLOCK)
    checked = HmacPolicy(Hmac({"acme": SECRET.decode()}), _named(given, known), Place())
    assert checked.identify(asked(sign())) == known


def _named(given: Any, known: Consumer) -> Any:
    from dataclasses import replace

    return replace(given, named={"acme": known}.get)


def test_no_signature_is_no_answer() -> None:
    assert policy().identify(ask()) is None


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [(b"POST", b"/a?b=1", None), (b"GET", b"/a?b=2", None), (b"GET", b"/a", None), (b"GET", b"/a?b=1", b"x")],
)
def test_a_signature_for_another_request_is_refused(method: bytes, target: bytes, body: bytes | None) -> None:
    assert "does not fit" in refused(policy().identify(asked(sign(), method, target, body)))


def test_another_secret_or_an_unknown_key_is_refused() -> None:
    refused(policy().identify(asked(sign(secret=b"another secret"))))
    refused(policy().identify(asked(sign(secret=b"-").replace(b"acme", b"nobody"))))
    refused(policy().identify(asked(sign().replace(b"acme", b"nobody"))))


@pytest.mark.parametrize("ts", [NOW - 301, NOW + 301, 0, 10**11])
def test_a_signature_of_another_time_is_refused(ts: int) -> None:
    assert "another time" in refused(policy().identify(asked(sign(ts=ts))))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"keyid=acme",
        b"keyid=acme,ts=1,sig=zz",
        b"keyid=acme,ts=-1,sig=" + b"a" * 64,
        b"keyid=acme,ts=1,sig=" + b"a" * 63,
        b"keyid=acme,ts=1,sig=" + b"a" * 64 + b",x=1",
        b"keyid=acme,keyid=other,ts=1,sig=" + b"a" * 64,
        b"keyid=acme,ts=" + b"1" * 13 + b",sig=" + b"a" * 64,
    ],
)
def test_a_malformed_header_is_refused(value: bytes) -> None:
    assert parse(value) is None
    refused(policy().identify(asked(value)))


@given(st.binary(max_size=200))
def test_no_header_breaks_the_reading(value: bytes) -> None:
    found = parse(value)
    assert found is None or len(found.digest) == 64


def test_the_body_is_asked_for_and_signed() -> None:
    value = sign(b"POST", body=b"hello")
    request = asked(value, b"POST", body=b"hello")
    request.body = None
    checked = policy(body_bytes_max=10)
    assert checked.identify(request) == NeedBody(10)
    request.body = b"hello"
    assert isinstance(checked.identify(request), Consumer)
    refused(policy().identify(asked(value, b"POST", body=b"hellO")))


def test_a_wrong_time_is_refused_before_the_body_is_read() -> None:
    request = asked(sign(b"POST", ts=NOW - 999), b"POST", body=b"x")
    request.body = None
    refused(policy().identify(request))


def test_no_body_is_read_for_a_key_that_nobody_holds() -> None:
    request = asked(sign(b"POST", body=b"x").replace(b"acme", b"nobody"), b"POST", body=b"x")
    request.body = None
    assert "does not fit" in refused(policy().identify(request))


def test_bodies_may_be_left_unsigned() -> None:
    value = b"keyid=acme,ts=%d,sig=" % NOW
    text = signed_text(b"POST", b"/a?b=1", NOW, None)
    value += hmac.new(SECRET, text, "sha256").hexdigest().encode()
    assert isinstance(policy(body=False).identify(asked(value, b"POST", body=b"any")), Consumer)
    refused(policy().identify(asked(value, b"POST", body=b"any")))


def test_a_signature_is_taken_once() -> None:
    checked = policy()
    assert isinstance(checked.identify(asked(sign())), Consumer)
    assert "used before" in refused(checked.identify(asked(sign())))
    assert "used before" in refused(checked.identify(asked(sign().replace(b"sig=", b"sig=").upper().lower())))
    assert isinstance(checked.identify(asked(sign(ts=NOW - 1))), Consumer)


def test_replays_are_remembered_until_they_are_too_old_anyway() -> None:
    replays = Replays()
    assert replays.take(b"a", 10.0, 0.0)
    assert not replays.take(b"a", 10.0, 10.0)
    assert replays.take(b"b", 30.0, 11.0)
    assert len(replays._until) == 1


def test_the_memory_of_replays_is_bounded_and_what_it_forgets_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPLAYS_MAX", 3)
    replays = Replays()
    for number in range(5):
        assert replays.take(b"%d" % number, 100.0, 0.0)
    assert replays.forgotten == 2
    assert len(replays._until) == 3
    assert not replays.take(b"4", 100.0, 0.0)
