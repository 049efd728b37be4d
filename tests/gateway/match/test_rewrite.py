"""New paths are paths: one slash first, no dot segments, no value that becomes something else."""

from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.gateway.match import UNSAFE, Match, Router
from foregate.gateway.match.path import split
from foregate.gateway.match.rewrite import (
    PathTemplate,
    RegexRewrite,
    problem_with_target,
    replace_prefix,
    rewritten,
    stripped,
)
from foregate.wire.match import Rule
from foregate.wire.snapshot import Rewrite


@pytest.mark.parametrize(
    ("path", "end", "rest", "replaced"),
    [
        (b"/ai", 3, b"/", b"/v2"),
        (b"/ai/", 3, b"/", b"/v2"),
        (b"/ai/x%20y", 3, b"/x%20y", b"/v2/x%20y"),
        (b"/ai%2Fx/", 3, b"/x/", b"/v2/x/"),
        (b"/ai//evil.com/x", 3, b"/evil.com/x", b"/v2/evil.com/x"),
        (b"/ai/%2fevil.com", 3, b"/evil.com", b"/v2/evil.com"),
        (b"/", 0, b"/", b"/v2"),
        (b"/x", 0, b"/x", b"/v2/x"),
    ],
)
def test_prefixes_are_stripped_and_replaced(path: bytes, end: int, rest: bytes, replaced: bytes) -> None:
    assert stripped(path, end) == rest
    assert replace_prefix(path, end, "/v2") == replaced
    assert replace_prefix(path, end, "/") == rest


@pytest.mark.parametrize(
    ("text", "params", "path"),
    [
        ("/v2/${param.id}", {"id": "42"}, b"/v2/42"),
        ("/v2/{id}/x", {"id": "a b/c?d#e%2e"}, b"/v2/a%20b/c%3Fd%23e%252e/x"),
        ("/v2/{id}", {"id": "é: x;y"}, b"/v2/%C3%A9:%20x%3By"),
        ("/v2/{id}", {"id": "é\r\nHost: x"}, None),
        ("/{rest}", {"rest": ""}, b"/"),
        ("/a/{rest}/b", {"rest": ""}, b"/a/b"),
        ("/a%20b/{1}", {"1": "/x/y"}, b"/a%20b/x/y"),
        ("/v2/.{id}", {"id": "."}, None),
        ("/v2/{id}", {"id": ".."}, None),
        ("/v2/{id}", {"id": "..;x"}, None),
        ("/v2/{id}", {"id": "a\\b"}, None),
        ("/v2/{id}", {"other": "1"}, None),
        ("/v2/{id}", None, None),
    ],
)
def test_templates_are_filled_with_encoded_values(text: str, params: dict[str, str] | None, path: bytes | None) -> None:
    assert PathTemplate(text).fill(params) == path


@pytest.mark.parametrize(
    ("pattern", "replacement", "path", "new"),
    [
        (r"/s/([^/]+)(/.*)?", r"/v2\2/\1", b"/s/a%20b/c/d", b"/v2/c/d/a%20b"),
        (r"/s/([^/]+)(/.*)?", r"/v2\2/\1", b"/s/a", b"/v2/a"),
        (r"/s/(?P<x>.*)", r"/\g<x>", b"/s/%253f%3f", b"/%253f%3F"),
        (r"/s/(.*)", r"\1", b"//s//x/", b"/x"),
        (r"/s/(.*)", r"/\1.", b"/other", b"/other"),
        (r"/s(.*)", r"/.\1", b"/s.", None),
        (r"/s(.*)", r"/\1", b"/s/../x", None),
        (r"/s(.*)", r"/\1", b"/s" + b"x" * 2_000, None),
    ],
)
def test_regex_replacement(pattern: str, replacement: str, path: bytes, new: bytes | None) -> None:
    assert RegexRewrite(pattern, replacement).apply(path) == new


def test_a_routes_settings_are_either_a_template_or_a_regex() -> None:
    assert rewritten(Rewrite(to="/v2/${param.id}"), b"/users/7", {"id": "7"}) == b"/v2/7"
    assert rewritten(Rewrite(to="/v2/${param.id}"), b"/users/7", None) is None
    assert rewritten(Rewrite(to=r"/v2/\1", regex=r"/users/(.*)"), b"/users/7", None) == b"/v2/7"


TEXT = st.text(max_size=8) | st.text("./;\\%2eE?#", max_size=8)


@settings(max_examples=500)
@given(st.sampled_from(["/{a}", "/v/{a}{b}", "/.{a}/{b}", "/{a}/x/{b}", "/x.{a};{b}"]), TEXT, TEXT)
def test_no_values_make_an_unsafe_path(text: str, first: str, second: str) -> None:
    path = PathTemplate(text).fill({"a": first, "b": second})
    if path is not None:
        assert path.startswith(b"/")
        assert b"//" not in path
        assert split(path) is not UNSAFE
        assert path.isascii()
        assert not set(path) & set(b"?#\\ \r\n\0")


@settings(max_examples=300)
@given(st.lists(st.text(min_size=1, max_size=6).filter(lambda part: "/" not in part), min_size=1, max_size=3))
def test_a_parameter_arrives_as_it_came(parts: list[str]) -> None:
    raw = "/u/" + "/".join("".join(f"%{byte:02X}" for byte in part.encode()) for part in parts)
    found = Router([(Rule("/u/{rest...}", "template"), 0)]).find(b"GET", b"", raw.encode(), b"", [])
    if isinstance(found, Match):
        path = PathTemplate("/w/{rest}").fill(found.params)
        assert path is not None
        assert [unquote(part) for part in path.decode().split("/")[2:]] == parts
    else:
        assert found is UNSAFE


@pytest.mark.parametrize(
    ("text", "regex", "words"),
    [
        ("v2", None, "must start"),
        ("/v2?x", None, "must be ASCII"),
        ("/v2 x", None, "must be ASCII"),
        ("/v2/%zz", None, "must be ASCII"),
        ("/v2/%2{id}", None, "must be ASCII"),
        ("/v2/{id", None, "braces"),
        ("/a/../b", None, "dot segment"),
        ("/a/%2e%2e/b", None, "dot segment"),
        ("/{other}", None, "names the parameter other"),
        (r"/\2", r"/(a)", "names the group 2"),
        (r"/\g<x>", r"/(a)", "names the group x"),
        (r"/\x", r"/(a)", "must be ASCII"),
        (r"/\1", r"/(a", "not a regular expression"),
    ],
)
def test_a_bad_target_is_named(text: str, regex: str | None, words: str) -> None:
    assert words in (problem_with_target(text, frozenset({"id"}), regex) or "")


def test_a_good_target_has_no_problem() -> None:
    assert problem_with_target("/v2/${param.id}/a%20b", frozenset({"id"})) is None
    assert problem_with_target(r"\1/x\g<y>", frozenset(), r"(/a)(?P<y>b)") is None


def test_a_path_of_which_the_expression_does_not_see_all_is_refused() -> None:
    assert RegexRewrite("/old/(.+)", r"/new/\1").apply(b"/old/a%3Bb") is None
    assert RegexRewrite("/old/(.+)", r"/new/\1").apply(b"/old/a;v=1") == b"/new/a"
