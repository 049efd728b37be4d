"""The decisions of sign-in, without a server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foregate.control.access.codes import CODE_LIFETIME_S, CODES_MAX, OneTimeCodes
from foregate.control.access.guard import Facts, Guard, host_name
from foregate.control.access.session import SESSION_LIFETIME_S, Sessions
from foregate.control.access.shell import session_cookie
from foregate.kernel.clock import ManualClock

HOST = "127.0.0.1:8090"
GUARD = Guard("the-token", frozenset({"console.example"}), lambda value: value == "good")


def verdict(path: str = "/api/v1/risks", method: str = "GET", host: str | None = HOST, **headers: str) -> str | None:
    refusal = GUARD.decide(Facts(method, path, host, **headers))
    return refusal.code if refusal else None


def test_the_token_or_a_session_lets_in_and_nothing_else_does() -> None:
    assert verdict() == "token_required"
    assert verdict(authorization="Bearer the-token") is None
    assert verdict(authorization="bearer the-token") is None
    assert verdict(authorization="Bearer the-tokem") == "token_required"
    assert verdict(authorization="Basic the-token") == "token_required"
    assert verdict(cookie="good") is None
    assert verdict(cookie="bad") == "token_required"


def test_a_wrong_token_is_not_mended_by_a_good_session() -> None:
    assert verdict(authorization="Bearer wrong", cookie="good") == "token_required"


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/health/live", "/healthz", "/login", "/login.css"])
def test_health_and_the_sign_in_page_are_open(path: str) -> None:
    assert verdict(path) is None


@pytest.mark.parametrize("path", ["/", "/health/", "/login/", "/assets/index.js", "/api/v1/openapi.json", "//health"])
def test_everything_else_is_closed(path: str) -> None:
    assert verdict(path) == "token_required"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8090", "", None, "[::2]:8090", "localhost.evil"]
)
def test_a_foreign_host_name_gets_nothing_not_even_health(host: str | None) -> None:
    assert verdict("/health", host=host) == "origin_refused"
    assert verdict(host=host, authorization="Bearer the-token") == "origin_refused"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8090", "console.example:443"])
def test_loopback_and_configured_host_names_are_served(host: str) -> None:
    assert verdict("/health", host=host) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_session_changes_things_only_from_our_own_page(method: str) -> None:
    assert verdict(method=method, cookie="good", origin=f"http://{HOST}") is None
    assert verdict(method=method, cookie="good", origin="http://127.0.0.1:3000") == "origin_refused"
    assert verdict(method=method, cookie="good", origin="null") == "origin_refused"
    assert verdict(method=method, cookie="good") == "origin_refused"


def test_a_foreign_page_may_not_even_send_the_sign_in_form() -> None:
    assert verdict("/login", "POST", origin="http://evil.example") == "origin_refused"
    assert verdict("/login", "POST", origin=f"http://{HOST}") is None


def test_a_program_with_the_token_needs_no_origin() -> None:
    assert verdict(method="POST", authorization="Bearer the-token") is None


@given(st.text(max_size=40))
def test_any_host_header_gives_a_name_without_failing(header: str) -> None:
    assert host_name(header) == host_name(header.upper()) or not header.isascii()


def test_a_code_signs_in_once_and_only_while_it_is_fresh() -> None:
    clock = ManualClock()
    codes = OneTimeCodes(clock)
    first, second = codes.issue(), codes.issue()
    assert not codes.redeem("no such code")
    assert codes.redeem(first)
    assert not codes.redeem(first)
    clock.advance(CODE_LIFETIME_S + 1)
    assert not codes.redeem(second)


def test_at_most_so_many_codes_are_outstanding_and_the_oldest_goes_first() -> None:
    codes = OneTimeCodes(ManualClock())
    issued = [codes.issue() for _ in range(CODES_MAX + 1)]
    assert not codes.redeem(issued[0])
    assert codes.redeem(issued[1])


def test_a_session_outlives_a_restart_but_neither_its_time_nor_a_new_token() -> None:
    clock = ManualClock()
    value = Sessions("token", clock).new()
    assert Sessions("token", clock).valid(value)
    assert not Sessions("another token", clock).valid(value)
    clock.advance(SESSION_LIFETIME_S + 1)
    assert not Sessions("token", clock).valid(value)


@given(st.integers(0, 10_000), st.characters(codec="utf-8"))
def test_a_session_with_one_character_changed_is_refused(where: int, other: str) -> None:
    sessions = Sessions("token", ManualClock())
    value = sessions.new()
    at = where % len(value)
    changed = value[:at] + other + value[at + 1 :]
    assert sessions.valid(changed) is (changed == value)


@given(st.text(max_size=200))
def test_no_made_up_session_is_valid_and_none_breaks_the_check(value: str) -> None:
    assert not Sessions("token", ManualClock()).valid(value)


@given(st.text(max_size=100))
def test_no_cookie_header_breaks_the_reader(header: str) -> None:
    assert session_cookie(header) is None or "foregate_session" in header
