"""Finding a rule, held against the obvious slow way, written apart from the product."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from foregate.gateway.match import UNSAFE, Match, Router, RouterBuilder, problem_with
from foregate.gateway.match.path import Unsafe
from foregate.gateway.match.router import REMEMBERED_MAX
from foregate.wire.match import HeaderRule, QueryRule, Rule

SEGMENT = st.sampled_from(["a", "b", "ab", "users", "v1", "é", "x y"])
PLAIN = st.lists(SEGMENT, max_size=4).map(lambda parts: "/" + "/".join(parts))
TEMPLATE = st.lists(st.sampled_from(["a", "b", "ab", "{1}", "{2}", "{3}", "{*}"]), max_size=4, unique=True)
REGEX = st.sampled_from(
    [r"/a/[ab]+", r"/(a|b)/.*", r".*/v1", r"/a/b/\w+", r"/users", r"/a/b/.*", r"/(?P<one>[^/]+)/ab"]
)
HOSTS = st.lists(
    st.sampled_from(["a.com", "*.a.com", "x.a.com", "*.x.a.com", "a.com:80", "*.a.com:80"]), max_size=2, unique=True
)
METHODS = st.lists(st.sampled_from(["GET", "POST", "PUT", "HEAD"]), max_size=2, unique=True)
KIND = st.sampled_from(["present", "absent", "exact", "prefix", "regex"])


def template(parts: list[str]) -> str:
    rest = "{*}" in parts
    shown = ["{p" + part[1] + "}" if part[0] == "{" else part for part in parts if part != "{*}"]
    return "/" + "/".join([*shown, *(["{rest...}"] if rest else [])])


def condition(kind: str) -> tuple[str, str]:
    return kind, "" if kind in ("present", "absent") else "1"


PATHS = st.one_of(
    PLAIN.map(lambda path: ("prefix", path)),
    PLAIN.map(lambda path: ("exact", path)),
    TEMPLATE.map(lambda parts: ("template", template(parts))),
    REGEX.map(lambda pattern: ("regex", pattern)),
)
RULES = st.builds(
    lambda path, hosts, methods, header, query, priority: Rule(
        path=path[1],
        kind=path[0],
        hosts=tuple(hosts),
        methods=tuple(methods),
        headers=() if header is None else (HeaderRule("X-V", *condition(header)),),
        queries=() if query is None else (QueryRule("q", *condition(query)),),
        priority=priority,
    ),
    PATHS,
    HOSTS,
    METHODS,
    st.none() | KIND,
    st.none() | KIND,
    st.sampled_from([0, 0, 0, 1]),
)
Request = tuple[bytes, bytes, str, bytes, list[tuple[bytes, bytes]]]  # method, host, path, query, headers
REQUEST = st.tuples(
    st.sampled_from([b"GET", b"POST", b"HEAD"]),
    st.sampled_from([b"a.com", b"A.com.", b"x.a.com:80", b"y.x.a.com", b"other", b"a.com:80", b""]),
    st.lists(SEGMENT, max_size=5).map(lambda parts: "/" + "/".join(parts)),
    st.sampled_from([b"", b"q=1", b"q=2&q=%31", b"x=1&q"]),
    st.sampled_from([[], [(b"x-v", b"1")], [(b"x-v", b"2"), (b"x-v", b"12")]]),
)


# --- the slow way ------------------------------------------------------------------------------------------------


def host_rank(rule: Rule, host: bytes) -> tuple[int, ...] | None:
    """How specific the best host of a rule is; None when it has none for this one."""
    name, _, port = host.decode().lower().partition(":")
    name = name.rstrip(".")
    ranks: list[tuple[int, ...]] = [] if rule.hosts else [(3,)]
    for wanted in rule.hosts:
        wanted_name, _, wanted_port = wanted.partition(":")
        if wanted_port not in ("", port):
            continue
        if wanted_name == name:
            ranks.append((0, 0 if wanted_port else 1))
        elif wanted_name.startswith("*") and name.endswith(wanted_name[1:]):
            ranks.append((1, -len(wanted_name), 0 if wanted_port else 1))
    return min(ranks, default=None)


def path_rank(rule: Rule, index: int, path: str) -> tuple[object, ...] | None:
    parts = [part for part in path.split("/") if part]
    wanted = [part for part in rule.path.split("/") if part]
    if rule.kind == "exact":
        return (0,) if parts == wanted else None
    if rule.kind == "prefix":
        return (2, -len(wanted)) if parts[: len(wanted)] == wanted else None
    if rule.kind == "regex":
        return (3, index) if re.fullmatch(rule.path, "/" + "/".join(parts)) else None
    rest = rule.path.endswith("...}")
    if rest:
        wanted = wanted[:-1]
        parts = parts[: len(wanted)]
    holes = [part.startswith("{") for part in wanted]
    if len(parts) != len(wanted) or any(w != p for w, p, hole in zip(wanted, parts, holes, strict=True) if not hole):
        return None
    return (1, -holes.count(False), rest, -len(wanted), *holes)


def holds(rule: HeaderRule | QueryRule, values: list[str]) -> bool:
    if rule.kind == "absent":
        return not values
    takes = {
        "present": lambda value: True,
        "exact": lambda value: value == rule.value,
        "prefix": lambda value: value.startswith(rule.value),
        "regex": lambda value: re.fullmatch(rule.value, value) is not None,
    }[rule.kind]
    return any(takes(value) for value in values)


def slow(rules: list[Rule], request: Request) -> int | None:
    method, host, path, query, headers = request
    fields = [value.decode() for _, value in headers]
    values = [pair.partition("=")[2] for pair in query.decode().replace("%31", "1").split("&") if pair[:1] == "q"]
    found = []
    for index, rule in enumerate(rules):
        by_host, by_path = host_rank(rule, host), path_rank(rule, index, path)
        named = method.decode() in rule.methods
        if (
            by_host is None
            or by_path is None
            or not (named or not rule.methods or (method == b"HEAD" and "GET" in rule.methods))
        ):
            continue
        if all(holds(each, fields) for each in rule.headers) and all(holds(each, values) for each in rule.queries):
            conditions = len(rule.headers) + len(rule.queries) + (1 if rule.methods else 0)
            borrows = method == b"HEAD" and bool(rule.methods) and not named
            found.append((-rule.priority, by_host, by_path, -conditions, borrows, index))
    return min(found)[-1] if found else None


def index_of(found: Match[int] | Unsafe | None) -> int | None:
    assert found is None or isinstance(found, Match)
    return None if found is None else found.value


def router_of(rules: list[Rule]) -> Router[int]:
    return Router([(rule, index) for index, rule in enumerate(rules)])


# --- the promises ------------------------------------------------------------------------------------------------


@settings(max_examples=600)
@given(st.lists(RULES, max_size=9), REQUEST)
@example([Rule("/a"), Rule("/{x}/b", "template"), Rule("/a/b", methods=("POST",))], (b"GET", b"", "/a/b", b"", []))
@example([Rule("/a", priority=1), Rule("/a/b", hosts=("a.com",))], (b"GET", b"a.com", "/a/b", b"", []))
@example([Rule("/a", "exact", hosts=("a.com",)), Rule("/")], (b"GET", b"a.com", "/a/x", b"", []))
@example([Rule("/a/{x}", "template"), Rule("/a/b/{r...}", "template")], (b"GET", b"", "/a/b", b"", []))
@example([Rule("/a", hosts=("a.com",), priority=1), Rule(hosts=("a.com:80",))], (b"GET", b"a.com:80", "/a", b"", []))
@example([Rule("/a", priority=1), Rule("/a/b", hosts=("*.a.com",))], (b"GET", b"x.a.com", "/a/b", b"", []))
@example([Rule(priority=1, hosts=("*.a.com",)), Rule(hosts=("*.x.a.com",))], (b"GET", b"y.x.a.com", "/", b"", []))
def test_every_kind_of_rule_is_found_as_the_slow_way_finds_it(rules: list[Rule], request_: Request) -> None:
    method, host, path, query, headers = request_
    found = router_of(rules).find(method, host, path.encode(), query, headers)
    assert index_of(found) == slow(rules, request_)


@settings(max_examples=300)
@given(st.lists(RULES, max_size=6), st.lists(REQUEST, min_size=2, max_size=6))
def test_what_is_remembered_of_a_path_never_decides_more_than_the_path(
    rules: list[Rule], requests: list[Request]
) -> None:
    router = router_of(rules)
    for method, host, path, query, headers in requests + [(*one[:2], requests[0][2], *one[3:]) for one in requests]:
        found = router.find(method, host, path.encode(), query, headers)
        assert index_of(found) == slow(rules, (method, host, path, query, headers))


def test_so_many_paths_are_remembered_and_no_more() -> None:
    router = router_of([Rule("/a")])
    for index in range(REMEMBERED_MAX + 10):
        assert index_of(router.find(b"GET", b"", b"/a/%d" % index, b"", [])) == 0
        assert router.find(b"GET", b"", b"/b/%d" % index, b"", []) is None
        assert len(router._known) <= REMEMBERED_MAX
    assert len(router._known) == 10
    assert index_of(router.find(b"GET", b"", b"/a/" + b"x" * 8_000, b"", [])) == 0
    assert len(router._known) == 10


@settings(max_examples=300)
@given(st.lists(RULES, max_size=6), REQUEST, st.sets(st.integers(0, 40)))
def test_percent_encoding_and_empty_segments_change_nothing(
    rules: list[Rule], request_: Request, encoded: set[int]
) -> None:
    method, host, path, query, headers = request_
    router = router_of(rules)
    raw = b"".join(
        b"%%%02x" % byte if index in encoded else bytes([byte]) for index, byte in enumerate(path.encode()) if index
    )
    plain = router.find(method, host, path.encode(), query, headers)
    for other in (b"/" + raw, path.replace("/", "//").encode(), path.encode() + b"/"):
        found = router.find(method, host, other, query, headers)
        assert index_of(found) == index_of(plain), other
        if isinstance(found, Match) and isinstance(plain, Match):
            assert found.params == plain.params


UNSAFE_PART = st.sampled_from(
    [
        "..",
        ".",
        "%2e%2E",
        ".%2e",
        "..;x",
        "%2e%2e%3bx=1",
        "a\\b",
        "%5c..%5C",
        "x%2f..%2fy",
        "..%3b",
        "\\",
        "a%00",
        "%1F",
    ]
)


@settings(max_examples=300)
@given(st.lists(RULES, max_size=6), REQUEST, UNSAFE_PART, st.integers(0, 5))
def test_nothing_unsafe_is_ever_matched(rules: list[Rule], request_: Request, part: str, place: int) -> None:
    method, host, path, query, headers = request_
    parts = path.split("/")[1:]
    parts.insert(place, part)
    raw = ("/" + "/".join(parts)).encode()
    assert router_of(rules).find(method, host, raw, query, headers) is UNSAFE
    assert router_of(rules).methods(host, raw, query, headers) == ()


@given(st.lists(RULES, max_size=6), REQUEST)
def test_methods_are_those_that_find_would_take(rules: list[Rule], request_: Request) -> None:
    _, host, path, query, headers = request_
    router = router_of(rules)
    if router.find(b"BREW", host, path.encode(), query, headers) is None:
        taken = router.methods(host, path.encode(), query, headers)
        for method in ("GET", "POST", "PUT", "HEAD"):
            assert (method.encode() in taken) == (
                slow(rules, (method.encode(), host, path, query, headers)) is not None
            )


@given(st.lists(RULES, max_size=8), REQUEST)
def test_a_router_built_in_steps_is_the_same(rules: list[Rule], request_: Request) -> None:
    method, host, path, query, headers = request_
    builder: RouterBuilder[int] = RouterBuilder()
    for index, rule in enumerate(rules):
        builder.add(rule, index)
    steps = sum(1 for _ in builder.sealing())
    assert steps >= 1
    found = builder.build().find(method, host, path.encode(), query, headers)
    assert index_of(found) == slow(rules, request_)


def find(rules: list[Rule], path: bytes, host: bytes = b"h", method: bytes = b"GET") -> Match[int] | Unsafe | None:
    return router_of(rules).find(method, host, path, b"", [])


def test_a_prefix_ends_at_a_segment_border_and_says_what_it_covers() -> None:
    ends = [
        found.end if isinstance(found := find([Rule("/ai")], path), Match) else None
        for path in (b"/ai", b"/ai/", b"/ai/x", b"//ai//x", b"/%61i/x", b"/ai%2Fx", b"/aix", b"/", b"*")
    ]
    assert ends == [3, 3, 3, 4, 5, 3, None, None, None]


def test_dots_in_names_are_not_dot_segments() -> None:
    for path in (b"/.well-known/x", b"/a..b", b"/...", b"/a.json", b"/a;b", b"/a;../b"):
        assert index_of(find([Rule("/")], path)) == 0, path


def test_what_can_be_read_in_two_ways_is_unsafe_however_they_are_spelt() -> None:
    rules = [Rule("/"), Rule("/public"), Rule("/{x...}", "template"), Rule("/.*", "regex"), Rule("/a", "exact")]
    for path in (
        b"/..",
        b"/a/../b",
        b"/a/%2E%2e/b",
        b"/a/.",
        b"/a%2f..%2fb",
        b"/a/..;/b",
        b"/a/.%2e;x=1/b",
        b"/a/..%3bx",
        rb"/public\..\secret",
        rb"/public/a\b",
        b"/public/%5c..%5Csecret",
        b"/a\\",
        b"/private%00",
        b"/x/.%00./private",
        b"/a%0Ab",
        b"/a%7f",
        b"/private;x=%2fy",
        b"/;x/private",
        b"/x/%3b/private",
    ):
        assert find(rules, path) is UNSAFE, path


def test_the_fixed_part_of_a_template_ends_before_its_first_parameter() -> None:
    rules = [Rule("/v1/users/{id}/orders/{order}", "template"), Rule("/{all...}", "template")]
    found = find(rules, b"/v1/users/7/orders/a%20b")
    assert isinstance(found, Match)
    assert (found.end, found.params) == (len("/v1/users"), {"id": "7", "order": "a b"})
    assert found == find(rules, b"/v1/users/7/orders/a b")
    found = find(rules, b"//v1/%75sers/7/orders/9")
    assert isinstance(found, Match)
    assert found.end == len(b"//v1/%75sers")
    found = find(rules, b"/x%2Fy/z")
    assert isinstance(found, Match)
    assert (found.end, found.params) == (0, {"all": "x/y/z"})


def test_the_rest_of_a_template_may_be_nothing() -> None:
    found = find([Rule("/files/{name...}", "template")], b"/files")
    assert isinstance(found, Match)
    assert found.params == {"name": ""}


def test_groups_of_a_regex_are_parameters_and_it_sees_the_decoded_path() -> None:
    found = find([Rule(r"/u/(?P<id>\d+)(/.*)?", "regex")], b"//u/%34%32/")
    assert isinstance(found, Match)
    assert (found.end, found.params) == (0, {"1": "42", "id": "42", "2": ""})


def test_a_path_too_long_for_a_regex_is_refused_and_does_not_slip_past_it() -> None:
    rules = [Rule("/admin/.*", "regex", priority=1), Rule("/")]
    assert find(rules, b"/admin/" + b"x" * 2_000) is UNSAFE
    assert index_of(find(rules, b"/other/" + b"x" * 2_000)) == 1


def test_a_rule_whose_conditions_fail_is_no_dead_end() -> None:
    rules = [Rule("/"), Rule("/a", methods=("POST",)), Rule("/a/b", headers=(HeaderRule("x", "present"),))]
    assert index_of(find(rules, b"/a/b")) == 0
    assert index_of(find(rules, b"/a/b", method=b"POST")) == 1
    with_header = router_of(rules).find(b"POST", b"h", b"/a/b", b"", [(b"x", b"")])
    assert index_of(with_header) == 2


def test_head_goes_where_get_goes_and_not_past_it() -> None:
    rules = [Rule("/"), Rule("/a", methods=("GET",)), Rule("/a/b", methods=("POST",))]
    assert index_of(find(rules, b"/a", method=b"HEAD")) == 1
    assert index_of(find(rules, b"/a/b", method=b"HEAD")) == 1
    assert index_of(find([*rules, Rule("/a", methods=("HEAD",))], b"/a", method=b"HEAD")) == 3
    assert index_of(find([*rules, Rule("/a", methods=("HEAD",))], b"/a")) == 1
    assert router_of(rules[1:]).methods(b"h", b"/a", b"", []) == (b"GET", b"HEAD")


def test_hosts_are_compared_without_case_port_and_trailing_dot() -> None:
    rules = [Rule(hosts=("Example.COM",)), Rule(hosts=("*.example.com",)), Rule(hosts=("[::1]:8080",))]
    hosts = (
        b"EXAMPLE.com.:8443",
        b"a.b.example.com",
        b".example.com",
        b"[::1]:8080",
        b"[::1]",
        b"example.com.evil",
        b"",
    )
    assert [index_of(find(rules, b"/", host)) for host in hosts] == [0, 1, None, 2, None, None, None]


def test_the_asterisk_of_options_counts_as_the_root() -> None:
    assert index_of(find([Rule("/a"), Rule("/", "exact")], b"*", method=b"OPTIONS")) == 1


def test_ten_thousand_routes_look_at_no_more_rules_than_ten() -> None:
    """Cost is what the tree offers to be judged: a count, not a time."""
    few, many = (
        Router([(Rule(f"/api/s{i}/{{id}}", "template", methods=("GET",)), i) for i in range(count)] + [(Rule(), -1)])
        for count in (10, 10_000)
    )
    names = [b"api", b"s7", b"42"]
    assert len(few._any.candidates(names)) == len(many._any.candidates(names)) == 2
    assert index_of(many.find(b"GET", b"", b"/api/s9999/1", b"", [])) == 9_999


def test_an_unconditional_prefix_is_found_without_a_new_object() -> None:
    router = router_of(
        [Rule("/a"), Rule("/a/b", methods=("GET",)), Rule("/{x}/c/d", "template"), Rule("/z", hosts=("h",))]
    )
    assert router.find(b"GET", b"", b"/a/b", b"", []) is router.find(b"GET", b"", b"/a/b", b"", [])


def test_all_rules_of_these_tests_are_fit_for_people() -> None:
    for rule in (
        Rule(r"/u/(?P<id>\d+)(/.*)?", "regex"),
        Rule("/admin/.*", "regex"),
        Rule("/files/{name...}", "template"),
    ):
        assert problem_with(rule) is None
