"""No spelling of a path slips past the route that its plain form meets, whatever an upstream makes of it."""

from collections.abc import Callable
from itertools import product
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.gateway.match import UNSAFE, Match, Router
from foregate.gateway.match.path import Unsafe
from foregate.wire.match import Rule

OPEN = 0
RULES = [
    Rule("/"),
    Rule("/private"),
    Rule("/public"),
    Rule("/x/private", "exact"),
    Rule("/x/{id}/private", "template"),
    Rule("/x/{id}/a/{rest...}", "template"),
]
ROUTER = Router([(rule, index) for index, rule in enumerate(RULES)])
WORDS = ["private", "%70rivate", "privat%65", "public", "x", "a", "é"]
MARKS = ["/", "//", "%2f", "%2F", ";", "%3b", "%3B", ";a=b", ";a=/", ".", "..", "%2e", "%2E"]
ODD = ["%00", "%0a", "%7f", "\\", "%5c", "%", "%zz"]
PIECE = st.sampled_from(WORDS + MARKS + ODD)
SPELLING = st.lists(PIECE, max_size=10).map(lambda pieces: "/" + "".join(pieces))


# --- what upstreams do -------------------------------------------------------------------------------------------


def without(segment: str) -> str:
    return segment.partition(";")[0]


def resolved(segments: list[str]) -> list[str]:
    """Without empty segments and dot segments."""
    out: list[str] = []
    for segment in segments:
        if segment == "..":
            del out[-1:]
        elif segment not in ("", "."):
            out.append(segment)
    return out


def plain(path: str) -> list[str]:
    return resolved(unquote(path).split("/"))


def parameters_first(path: str) -> list[str]:
    """As servlet containers do."""
    return resolved(unquote("/".join(map(without, path.split("/")))).split("/"))


def decoded_first(path: str) -> list[str]:
    """As they do behind a proxy that decodes."""
    return resolved(list(map(without, unquote(path).split("/"))))


def dots_first(path: str) -> list[str]:
    return resolved(list(map(without, resolved(unquote(path).split("/")))))


def ended_by_nul(path: str) -> list[str]:
    return plain(unquote(path).partition("\0")[0])


def without_controls(path: str) -> list[str]:
    return decoded_first("".join(character for character in unquote(path) if character >= " "))


def backslash_is_slash(path: str) -> list[str]:
    return decoded_first(unquote(path).replace("\\", "/"))


UPSTREAMS = [
    plain,
    parameters_first,
    decoded_first,
    dots_first,
    ended_by_nul,
    without_controls,
    backslash_is_slash,
]


def meant(segments: list[str]) -> int:
    """The route of what the upstream reads, by the documented law alone."""
    if segments[:1] == ["private"]:
        return 1
    if segments[:1] == ["public"]:
        return 2
    if segments == ["x", "private"]:
        return 3
    if segments[:1] == ["x"] and segments[2:] == ["private"]:
        return 4
    return 5 if segments[:1] == ["x"] and segments[2:3] == ["a"] else OPEN


def check(spelling: str) -> None:
    found = ROUTER.find(b"GET", b"h", spelling.encode(), b"", [])
    if found is UNSAFE:
        return
    assert isinstance(found, Match)
    for upstream in UPSTREAMS:
        route = meant(upstream(spelling))
        assert route in (OPEN, found.value), (spelling, upstream.__name__)


# --- the promises ------------------------------------------------------------------------------------------------


@settings(max_examples=3_000)
@given(SPELLING)
def test_no_spelling_reaches_another_route_than_the_one_that_the_upstream_will_read(spelling: str) -> None:
    check(spelling)


def test_no_short_spelling_does() -> None:
    """Every path of three segments made of what is known to be a trick."""
    tricks = [
        "",
        "private",
        "priv%61te;a",
        ";a",
        ".",
        "..;",
        ".%00.",
        "%3b",
        "x",
        "x%3ba",
        "a;b=%2f",
        "%2fprivate",
        "\\",
    ]
    for segments in product(tricks, repeat=3):
        check("/" + "/".join(segments))


@pytest.mark.parametrize("upstream", UPSTREAMS, ids=lambda upstream: str(upstream.__name__))
def test_a_plain_path_is_read_by_all_alike(upstream: Callable[[str], list[str]]) -> None:
    for path in ("/private/a", "/public", "/x/private", "/x/7/private", "/x/7/a/b", "/other"):
        found = ROUTER.find(b"GET", b"h", path.encode(), b"", [])
        assert isinstance(found, Match)
        assert found.value == meant(upstream(path))


def find(rules: list[Rule], path: bytes) -> Match[int] | Unsafe | None:
    return Router([(rule, index) for index, rule in enumerate(rules)]).find(b"GET", b"h", path, b"", [])


def taken(found: Match[int] | Unsafe | None) -> int | None:
    return found.value if isinstance(found, Match) else None


def test_parameters_of_segments_decide_nothing() -> None:
    rules = [Rule("/"), Rule("/private"), Rule("/files/{name...}", "template"), Rule("/u/{id}", "template")]
    for path in (b"/private;x", b"/private;x/y;z", b"/private%3bx", b"/priv%61te;", b"//private//;x=1"):
        assert taken(find(rules, path)) == 1, path
    found = find(rules, b"/private;x=1;y/z")
    assert isinstance(found, Match)
    assert found.end == len("/private;x=1;y")
    found = find(rules, b"/files/a;v=1/b%3Bc;d")  # an encoded semicolon is data
    assert isinstance(found, Match)
    assert found.params == {"name": "a/b;c"}
    found = find(rules, b"/u/7%3B8;v=1")
    assert isinstance(found, Match)
    assert found.params == {"id": "7;8"}


def test_encoded_question_marks_and_hashes_are_data() -> None:
    rules = [Rule("/"), Rule("/private"), Rule("/u/{id}", "template")]
    assert taken(find(rules, b"/private%3fx")) == taken(find(rules, b"/private%23x")) == 0
    found = find(rules, b"/u/a%3Fb%23c")
    assert isinstance(found, Match)
    assert found.params == {"id": "a?b#c"}
