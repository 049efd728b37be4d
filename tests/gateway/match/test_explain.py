"""What explain says, and that it agrees with find."""

from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.gateway.match import UNSAFE, Match, Router
from foregate.gateway.match.explain import explain
from foregate.wire.match import HeaderRule, QueryRule, Rule

RULES = [
    Rule("/a"),
    Rule("/a/{id}", "template", methods=("GET", "PUT")),
    Rule("/a/b", "exact", hosts=("*.example.com", "example.com:80")),
    Rule("/a/.+", "regex", priority=2, headers=(HeaderRule("x-v", "exact", "secret"),)),
    Rule("/", queries=(QueryRule("debug", "absent"),)),
    Rule("/a", methods=("GET",)),
]


def said(path: bytes, headers: list[tuple[bytes, bytes]], query: bytes = b"", method: bytes = b"GET") -> list[str]:
    router = Router([(rule, None) for rule in RULES])
    return [reason.sentence for reason in explain(router, method, b"h", path, query, headers)]


def test_each_rule_gets_its_reason() -> None:
    assert said(b"/a/b", [(b"x-v", b"1")], b"debug=1") == [
        "matches too, but rule 1 goes first: its path is more specific",
        "matched",
        "the host is h, not *.example.com or example.com:80",
        "the header x-v does not have the wanted value (exact)",
        "the parameter debug is given, and must not be",
        "matches too, but rule 1 goes first: its path is more specific",
    ]
    assert said(b"/a", [], method=b"POST") == [
        "matched",
        "the path /a is not /a/{}",
        "the host is h, not *.example.com or example.com:80",
        "the path /a is not what /a/.+ matches",
        "matches too, but rule 0 goes first: its path is more specific",
        "the method is POST, not GET, HEAD",
    ]
    assert said(b"/a/x", [(b"x-v", b"secret")])[1] == "matches too, but rule 3 goes first: its priority is higher"
    assert said(b"/a", [])[0] == "matches too, but rule 5 goes first: it has more conditions"


def test_it_says_which_of_two_rules_names_head() -> None:
    router = Router([(Rule("/a", methods=("GET",)), 0), (Rule("/a", methods=("HEAD",)), 1)])
    reasons = explain(router, b"HEAD", b"h", b"/a", b"", [])
    assert [reason.sentence for reason in reasons] == [
        "matches too, but rule 1 goes first: it names HEAD",
        "matched",
    ]


def test_an_unsafe_path_is_refused_for_all() -> None:
    assert set(said(b"/a/..", [])) == {"the path is refused for every rule: it can be read in two ways"}


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(RULES), max_size=5),
    st.sampled_from([b"GET", b"POST", b"HEAD"]),
    st.sampled_from([b"h", b"x.example.com", b"example.com:80"]),
    st.sampled_from([b"/", b"/a", b"/a/b", b"/a/c", b"/a%2fb/", b"/a/../b"]),
    st.sampled_from([b"", b"debug"]),
    st.sampled_from([[], [(b"x-v", b"secret")]]),
)
def test_explain_names_the_rule_that_find_finds(
    rules: list[Rule], method: bytes, host: bytes, path: bytes, query: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    router = Router([(rule, None) for rule in rules])
    found = router.find(method, host, path, query, headers)
    reasons = explain(router, method, host, path, query, headers)
    assert [reason.rule for reason in reasons] == list(range(len(rules)))
    assert [reason.rule for reason in reasons if reason.matched] == ([found.index] if isinstance(found, Match) else [])
    assert (found is UNSAFE) == (path == b"/a/../b")
