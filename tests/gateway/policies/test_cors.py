"""Cross-origin requests of browsers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.policies.asking import ask, means

from foregate.gateway.policies.cors import CorsPolicy, Origins
from foregate.gateway.policies.policy import Answer, Place, Refuse
from foregate.wire.policies import Cors

PAGE = b"https://app.example.com"


def policy(*origins: str, **more: Any) -> CorsPolicy:
    return CorsPolicy(Cors(origins or (PAGE.decode(),), **more), means(), Place())


def preflight(origin: bytes = PAGE, asked: bytes | None = None) -> Any:
    headers = [(b"origin", origin), (b"access-control-request-method", b"PUT")]
    return ask(b"OPTIONS", b"/", headers + ([(b"access-control-request-headers", asked)] if asked is not None else []))


def test_a_preflight_is_answered_here() -> None:
    found = policy(methods=("GET", "PUT"), headers=("x-a", "x-b"), max_age_s=5, credentials=True).admit(preflight())
    assert isinstance(found, Answer)
    assert found.status == 204
    assert sorted(found.lines.decode().strip().split("\r\n")) == [
        "access-control-allow-credentials: true",
        "access-control-allow-headers: x-a, x-b",
        "access-control-allow-methods: GET, PUT",
        "access-control-allow-origin: https://app.example.com",
        "access-control-max-age: 5",
        "vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    ]


def test_a_preflight_of_another_origin_is_refused_without_a_word_of_cors() -> None:
    found = policy().admit(preflight(b"https://evil.example"))
    assert isinstance(found, Refuse)
    assert found.code == "forbidden"
    assert b"access-control" not in found.lines.lower().replace(b"access-control-request", b"")


def test_header_names_that_are_asked_for_are_allowed_when_none_are_set() -> None:
    found = policy().admit(preflight(asked=b"x-one, X-Two"))
    assert isinstance(found, Answer)
    assert b"access-control-allow-headers: x-one, X-Two\r\n" in found.lines


@pytest.mark.parametrize("asked", [b"", b"a b", b"a\xffb", b"x," * 3_000, b"a,,b"])
def test_nothing_but_header_names_is_echoed(asked: bytes) -> None:
    found = policy().admit(preflight(asked=asked))
    assert isinstance(found, Answer)
    assert b"allow-headers" not in found.lines


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_whatever_is_asked_the_answer_keeps_its_lines(origin: bytes, asked: bytes) -> None:
    found = policy("*").admit(preflight(origin, asked))
    assert isinstance(found, Answer)
    lines = found.lines.split(b"\r\n")[:-1]
    assert len(lines) <= 6
    assert not any(control in line for line in lines for control in (b"\r", b"\n", b"\0"))


def test_a_simple_request_passes_and_may_be_read() -> None:
    request = ask(headers=[(b"origin", PAGE)])
    assert policy(expose=("x-total",)).admit(request) is None
    assert request.answer_lines == (
        b"vary: Origin\r\naccess-control-allow-origin: https://app.example.com\r\n"
        b"access-control-expose-headers: x-total\r\n"
    )


def test_one_of_another_origin_passes_but_may_not_be_read() -> None:
    for headers in ([(b"origin", b"https://evil.example")], []):
        request = ask(headers=headers)
        assert policy().admit(request) is None
        assert request.answer_lines == b"vary: Origin\r\n"


def test_with_any_origin_answers_are_the_same_for_all() -> None:
    request = ask(headers=[(b"origin", b"null")])
    policy("*").admit(request)
    assert request.answer_lines == b"access-control-allow-origin: *\r\n"


_NO_ORIGIN = [
    b"nonsense",
    b"null",
    b"*",
    b"https://*.example.com",
    b"https://",
    b"//app.example.com",
    b"app.example.com",
    b"https://app.example.com/",
    b"https://app.example.com, https://app.example.com",
    b"https:app.example.com",
    b"",
]


@pytest.mark.parametrize("origin", _NO_ORIGIN)
def test_what_is_no_origin_is_never_echoed(origin: bytes) -> None:
    for cors in (policy(PAGE.decode(), "https://*.example.com", credentials=True), policy("*"), _unloadable()):
        request = ask(headers=[(b"origin", origin)])
        assert cors.admit(request) is None
        found = cors.admit(preflight(origin))
        lines = request.answer_lines + (found.lines if isinstance(found, Answer) else b"")
        allowed = [line for line in lines.split(b"\r\n") if line.startswith(b"access-control-allow-origin")]
        assert set(allowed) <= {b"access-control-allow-origin: *"}


def _unloadable() -> CorsPolicy:
    """No configuration can have these settings."""
    settings = Cors(("*",), credentials=True)
    assert settings.problem() is not None
    return CorsPolicy(settings, means(), Place())


def test_null_is_taken_where_it_is_named() -> None:
    request = ask(headers=[(b"origin", b"null")])
    policy("null").admit(request)
    assert b"access-control-allow-origin: null\r\n" in request.answer_lines


@pytest.mark.parametrize(
    "origin",
    ["nonsense", "", "app.example.com", "https://a.example/", "https://*", "https://a.*.example", "*.example.com",
     "https://*.a.example/x", "https://u@a.example", "https://a.example:443", "http://a.example:80", "https://a b",
     "https://a.example:0", "https://a.example:x", "*://a.example", "https://*a.example", "https://a.example,b"],
)  # fmt: skip
def test_an_origin_that_no_browser_sends_does_not_load(origin: str) -> None:
    said = Cors((PAGE.decode(), origin)).problem()
    assert said is not None
    assert f'"{origin}"' in said


@pytest.mark.parametrize(
    "origin",
    ["https://a.example", "http://localhost:3000", "https://*.a.example:8443", "http://127.0.0.1:8044",
     "http://[::1]:8080", "chrome-extension://abcdef", "null", "*", "HTTPS://A.example", "https://a.example:80"],
)  # fmt: skip
def test_an_origin_that_a_browser_may_send_loads(origin: str) -> None:
    assert Cors((origin,)).problem() is None


def test_options_without_a_preflights_fields_is_the_upstreams_business() -> None:
    assert policy().admit(ask(b"OPTIONS", b"/", [(b"origin", PAGE)])) is None


def test_what_the_upstream_says_of_cors_is_dropped() -> None:
    headers = [(b"access-control-allow-origin", b"*"), (b"content-type", b"a/b"), (b"access-control-max-age", b"1")]
    assert policy().answered(ask(), 200, headers) == [(b"content-type", b"a/b")]


@pytest.mark.parametrize(
    "origin",
    [
        b"https://example.com",
        b"https://.example.com",
        b"https://evil.example.com.evil.net",
        b"https://evil-example.com",
        b"http://a.example.com",
        b"https://a.example.com:8443",
        b"https://evil.net/.example.com",
        b"https://evil.net?.example.com",
        b"https://u@a.example.com",
        b"https://" + b"a." * 400 + b"example.com",
        b"null",
        b"",
    ],
)
def test_a_wildcard_takes_subdomains_and_nothing_that_looks_alike(origin: bytes) -> None:
    assert not Origins(("https://*.example.com",)).take(origin)


def test_a_wildcard_takes_subdomains_of_any_depth() -> None:
    origins = Origins(("https://*.example.com", "http://localhost:3000"))
    for origin in (b"https://a.example.com", b"https://a.b.example.com", b"http://localhost:3000"):
        assert origins.take(origin)
