"""People's regular expressions: bounded, judged before they run, and quick when they do."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.gateway.match.regexes import REGEX_TEXT_MAX, compile_regex, lead, problem_with_regex


@pytest.mark.parametrize(
    "pattern",
    [
        r"/users/\d+",
        r"/(users|orders)/[^/]+/items/[^/]+/notes/[^/]+/x/[^/]+",
        r"/a/.*/b/.*",
        r"/(?P<tenant>[a-z]{1,20})/(v[12])(/.*)?",
        r"(?:/[a-z]++)*",
        r"(?:/(?>[a-z]+))*",
        r"(?:/[ab])*",
        r"/[a-f0-9]{8}-(?:[a-f0-9]{4}-){3}[a-f0-9]{12}",
        r"/\w+\.(?:json|xml)",
        r".*\.php",
        r"/[]x{}]+/\{a\}",
        r"/caf\u00e9/\D+",
    ],
)
def test_what_people_write_is_taken(pattern: str) -> None:
    assert problem_with_regex(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        (r"(a+)+", "(at character 3)"),
        (r"/x/([a-z]+)*", "(at character 10)"),
        (r"/(?:a|[b+*]\*(c?d){2})*\{1,2\}", "(at character 16)"),
        (r"/[^]*+?](a{1,3}){2,}", "(at character 11)"),
        (r"(?:(?:ab)*c)+?", "(at character 10)"),
    ],
)
def test_a_repetition_inside_a_repetition_is_refused_where_it_stands(pattern: str, place: str) -> None:
    problem = problem_with_regex(pattern)
    assert problem is not None
    assert "repetition inside a repetition" in problem
    assert problem.endswith(place)


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("(", "not a regular expression: missing )"),
        ("x" * 513, "513 characters"),
        ("(?i)/a", "flags"),
        ("/(?i:a)", "flags"),
        ("/(ab|[a-c]d)*", "alternatives"),
        ("/(a|b|ab)*", "alternatives"),
        ("/.*a.*b", "too many ways"),
        (r"/\w+\d+\w+x", "too many ways"),
        ("/" + "a?" * 40 + "a" * 40, "too many ways"),
        (r"/(a)?(?(1)b|c)", "whether a group took part"),
        ("/a{4294967296}", "not a regular expression"),
    ],
)
def test_what_may_take_very_long_is_refused_and_named(pattern: str, word: str) -> None:
    assert word in (problem_with_regex(pattern) or "")


PIECE = st.sampled_from(
    [
        "a",
        "b",
        "/",
        "a*",
        "a+",
        "[ab]*",
        ".*",
        "a?",
        "(a|b)",
        "(a|ab)",
        "(a*)",
        "(ab)*",
        "(a+)+",
        "a{2,5}",
        "[^/]+",
        "a*+",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECE, min_size=1, max_size=7), st.sampled_from(["a", "ab", "/a", "aab/"]))
def test_what_is_taken_never_takes_long(pieces: list[str], unit: str) -> None:
    pattern = "/" + "".join(pieces)
    if problem_with_regex(pattern) is None:
        text = ("/" + unit * REGEX_TEXT_MAX)[: REGEX_TEXT_MAX - 1] + "!"
        started_s = time.process_time()
        compile_regex(pattern).fullmatch(text)
        assert time.process_time() - started_s < 1.0  # usually < 5 ms; what is refused takes up to aeons


@given(st.text(max_size=12) | st.text("()[]{}*+?|\\^$.ab12,:<>P=!", max_size=14))
def test_any_text_is_judged_and_what_is_taken_compiles(pattern: str) -> None:
    if problem_with_regex(pattern) is None:
        compile_regex(pattern)


@pytest.mark.parametrize(
    ("pattern", "segments"),
    [
        (r"/api/v1/users/\d+", [b"api", b"v1", b"users"]),
        (r"/api/v1", [b"api"]),
        (r"/api/v1?/x", [b"api"]),
        (r"/(a|b)/x", []),
        (r"/a/b|/a/c", [b"a"]),
        (r"x/y/z", []),
        (r".*", []),
        (r"/caf\u00e9/.", ["café".encode()]),
    ],
)
def test_the_lead_is_what_every_match_begins_with(pattern: str, segments: list[bytes]) -> None:
    assert lead(pattern) == segments
    assert re.compile(pattern)
