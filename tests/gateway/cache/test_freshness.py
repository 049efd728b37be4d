"""How old, how long fresh, until when it may be given stale (RFC 9111 section 4.2, RFC 5861)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.cache.directives import cache_control, effective
from foregate.gateway.cache.freshness import Freshness, freshness, initial_age_s
from foregate.http1.date import http_date
from foregate.wire.cache import Cache

NOW = 1_700_000_000.0
PLAIN = Cache()


def judged(status: int = 200, settings: Cache = PLAIN, **headers: str) -> Freshness:
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    if "date" not in headers:
        fields.append((b"date", http_date(NOW)))
    said, aimed = effective(fields, (b"cdn-cache-control",))
    return freshness(status, fields, said, aimed, settings, NOW, NOW)


def left_s(found: Freshness) -> float:
    return found.fresh_until_s - NOW


def at(offset_s: float) -> str:
    return http_date(NOW + offset_s).decode()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"cache_control": "max-age=60"}, 60),
        ({"cache_control": "max-age=60, s-maxage=10"}, 10),
        ({"cache_control": "max-age=10, s-maxage=60"}, 60),
        ({"cache_control": "max-age=60", "expires": at(-5)}, 60),
        ({"expires": at(30)}, 30),
        ({"expires": at(-30)}, 0),
        ({"expires": "0"}, 0),
        ({"expires": at(100), "date": at(40)}, 60),  # by its own clock, not by ours
        ({"expires": at(30), "date": "nonsense"}, 30),
        ({"cache_control": "max-age=60", "age": "20"}, 40),
        ({"cache_control": "max-age=60", "date": at(-20)}, 40),  # it was on its way for so long
        ({"cache_control": "max-age=60", "date": at(20)}, 60),  # a clock ahead of ours makes nothing younger
        ({"cdn_cache_control": "max-age=5", "cache_control": "max-age=60"}, 5),
        ({"cdn_cache_control": "must-revalidate", "expires": at(60)}, 0),  # Expires does not count beside it
        ({}, 0),
    ],
)
def test_the_lifetime_is_what_the_service_says(headers: dict[str, str], seconds: float) -> None:
    assert left_s(judged(**headers)) == pytest.approx(seconds)


@pytest.mark.parametrize("age", ["x", "-1", "1.5", "0, 0", "7, 0", "5;a=1", ""])
def test_an_age_that_is_none_makes_it_stale(age: str) -> None:
    assert left_s(judged(cache_control="max-age=3600", age=age)) < 0


def test_what_says_nothing_is_guessed_by_its_last_change() -> None:
    assert left_s(judged(last_modified=at(-1000))) == pytest.approx(100)
    assert left_s(judged(last_modified=at(-1e8))) == 86_400  # a day at most
    assert left_s(judged(403, last_modified=at(-1000))) == 0  # no status to be guessed about
    assert left_s(judged(403, last_modified=at(-1000), cache_control="public")) == pytest.approx(100)
    assert left_s(judged(settings=Cache(heuristic_share=0.0), last_modified=at(-1000))) == 0


def test_settings_stand_in_or_override() -> None:
    assert left_s(judged(settings=Cache(default_ttl_s=7))) == 7
    assert left_s(judged(settings=Cache(default_ttl_s=7), cache_control="max-age=60")) == 60
    assert left_s(judged(500, settings=Cache(default_ttl_s=7))) == 0
    assert left_s(judged(settings=Cache(ttl_s=7), cache_control="max-age=60", age="30")) == 7
    assert left_s(judged(404, settings=Cache(ttl_s=7))) == 0
    assert left_s(judged(404, settings=Cache(negative={"404": 10}))) == 10
    assert left_s(judged(503, settings=Cache(negative={"503": 1}))) == 1
    assert left_s(judged(404, settings=Cache(negative={"404": 10}), cache_control="max-age=0")) == 0
    assert left_s(judged(settings=Cache(fresh_share=0.5), cache_control="max-age=60")) == 30


def test_no_cache_is_never_fresh_whatever_else_is_said() -> None:
    found = judged(settings=Cache(ttl_s=60, stale_if_error_s=60), cache_control="no-cache, max-age=60")
    assert (left_s(found), found.stale_until_s, found.error_until_s) == (0, 0.0, 0.0)


def test_stale_windows_are_the_services_or_ours() -> None:
    ours = Cache(stale_while_revalidate_s=5, stale_if_error_s=50)
    found = judged(settings=ours, cache_control="max-age=60")
    assert (found.stale_until_s, found.error_until_s) == (NOW + 65, NOW + 110)
    found = judged(settings=ours, cache_control="max-age=60, stale-while-revalidate=1, stale-if-error=0")
    assert (found.stale_until_s, found.error_until_s) == (NOW + 61, 0.0)


@pytest.mark.parametrize("forbidden", ["must-revalidate", "proxy-revalidate", "s-maxage=60"])
def test_who_forbids_stale_answers_is_obeyed(forbidden: str) -> None:
    ours = Cache(stale_while_revalidate_s=5, stale_if_error_s=50)
    found = judged(settings=ours, cache_control=f"max-age=60, {forbidden}")
    assert (found.strict, found.stale_until_s, found.error_until_s) == (True, 0.0, 0.0)


def test_an_error_is_never_given_stale() -> None:
    found = judged(503, settings=Cache(stale_if_error_s=50, stale_while_revalidate_s=5), cache_control="max-age=60")
    assert (left_s(found), found.strict, found.stale_until_s, found.error_until_s) == (60, True, 0.0, 0.0)


def test_s_maxage_with_a_window_of_its_own_allows_it() -> None:
    found = judged(cache_control="s-maxage=60, stale-while-revalidate=30")
    assert found.stale_until_s == NOW + 90


@given(
    age=st.one_of(st.none(), st.integers(0, 10_000)),
    date_ahead_s=st.integers(-10_000, 10_000),
    took_s=st.integers(0, 100),
)
def test_an_answer_is_never_younger_than_any_clock_says(age: int | None, date_ahead_s: int, took_s: int) -> None:
    fields = [(b"date", http_date(NOW + date_ahead_s))]
    if age is not None:
        fields.append((b"age", str(age).encode()))
    found = initial_age_s(fields, NOW - took_s, NOW)
    assert found >= 0
    assert found >= (age or 0) + took_s
    assert found >= -date_ahead_s


@given(max_age=st.integers(0, 10_000), age=st.integers(0, 10_000), share=st.floats(0, 1))
def test_it_is_fresh_for_what_is_left_of_its_lifetime(max_age: int, age: int, share: float) -> None:
    fields = [(b"date", http_date(NOW)), (b"age", str(age).encode())]
    said = cache_control(b"max-age=%d" % max_age)
    found = freshness(200, fields, said, False, Cache(fresh_share=share), NOW, NOW)
    assert found.fresh_until_s - NOW == pytest.approx(max_age * share - age, abs=1e-5)
