"""Bad rules are refused with a sentence that names what is bad."""

import pytest

from foregate.gateway.match import problem_with
from foregate.gateway.match.problems import parameters
from foregate.wire.match import HeaderRule, QueryRule, Rule


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule("a"), '"a" must start with "/"'),
        (Rule("/a/"), 'must not end with "/"'),
        (Rule("/a//b"), "must be plain"),
        (Rule("/a%20b"), "must be plain"),
        (Rule("/a?b"), "must be plain"),
        (Rule("/a b"), "must be plain"),
        (Rule("/a\\b"), "must be plain"),
        (Rule("/é", "exact"), "must be plain"),
        (Rule("/a/../b"), 'dot segment ".."'),
        (Rule("/a/..", "exact"), 'dot segment ".."'),
        (Rule("/a;b"), "must be plain"),
        (Rule("/{a}/.", "template"), 'dot segment "."'),
        (Rule("/" + "a" * 1_024), "1024 characters"),
        (Rule("/a" * 65), "64 segments"),
        (Rule("/{a}/{a}", "template"), "names the parameter a twice"),
        (Rule("/{1a}", "template"), "neither fixed nor a parameter"),
        (Rule("/x{a}", "template"), "neither fixed nor a parameter"),
        (Rule("/{a...}/b", "template"), "goes on after {a...}"),
        (Rule("(", "regex"), "not a regular expression"),
        (Rule("(a+)+", "regex"), "at character 3"),
        (Rule("admin/.*", "regex"), 'begins with "/"'),
        (Rule("/admin/", "regex"), "a trailing slash is taken off"),
        (Rule("/[a-z]+/$", "regex"), "a trailing slash is taken off"),
        (Rule("/a//b", "regex"), 'none has "//"'),
        (Rule("/a;x=.*", "regex"), 'none has ";"'),
        (Rule(r"/a\\b", "regex"), 'none has "\\"'),
        (Rule(hosts=("*",)), "leave hosts out"),
        (Rule(hosts=("a.*.com",)), 'host "a.*.com"'),
        (Rule(hosts=("http://a.com",)), "is not a name"),
        (Rule(hosts=("a.com:70000",)), "no possible port"),
        (Rule(hosts=("a.com", "a b")), 'host "a b"'),
        (Rule(methods=("get",)), 'method "get"'),
        (Rule(methods=("GET,POST",)), "is not a method"),
        (Rule(headers=(HeaderRule("x y"),)), 'header "x y"'),
        (Rule(headers=(HeaderRule("x", "regex", "["),)), "not a regular expression"),
        (Rule(queries=(QueryRule("q", "absent", "1"),)), "takes no value"),
        (Rule(queries=(QueryRule("q", "prefix"),)), "empty prefix"),
    ],
)
def test_a_bad_rule_is_named(rule: Rule, words: str) -> None:
    assert words in (problem_with(rule) or "")


@pytest.mark.parametrize(
    "rule",
    [
        Rule(),
        Rule("/.well-known/a"),
        Rule("/{", "exact"),
        Rule("/", "regex"),
        Rule("^/$", "regex"),
        Rule(".*/", "regex"),
        Rule("/admin/?", "regex"),
        Rule("(/a|/b)/.*", "regex"),
        Rule(".*/[^;]+", "regex"),
        Rule("/a(;x)?", "regex"),
        Rule("/users/{id}/orders/{order_2}", "template"),
        Rule("/{rest...}", "template"),
        Rule(
            hosts=("a.com", "*.a.com", "xn--caf-dma.example:8443", "[::1]", "[::1]:80", "localhost", "10.0.0.1", "a.")
        ),
        Rule(methods=("GET", "M-SEARCH"), headers=(HeaderRule("X-V"),), queries=(QueryRule("q", "regex", r"\d+"),)),
    ],
)
def test_a_good_rule_has_no_problem(rule: Rule) -> None:
    assert problem_with(rule) is None


def test_parameters_are_those_a_match_will_have() -> None:
    assert parameters(Rule("/{a}/{b...}", "template")) == {"a", "b"}
    assert parameters(Rule("/(?P<a>x)(y)", "regex")) == {"a", "1", "2"}
    assert parameters(Rule("/a")) == set()
