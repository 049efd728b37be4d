"""What `foregate config explain` says about a request: route, reasons, policies with their places, and the way on."""

from pathlib import Path

import pytest

from foregate.app.config import load
from foregate.app.config.explain import Asked, Explanation, explain
from foregate.app.config.verify import verified

TEXT = """\
policies: {ip_filter: {deny: [10.0.0.0/8]}, timeouts: {attempt_s: 9}}
services:
  a:
    targets: [http://127.0.0.1:9001, {url: 'http://127.0.0.1:9002', weight: 3, zone: eu}]
    balance: {algorithm: consistent_hash, hash_by: ip}
    policies: {timeouts: {attempt_s: 5}, retry: {attempts: 1}}
  b: {targets: ['http://b.example/base']}
routes:
  - {path: /a, services: [{service: a, weight: 9}, {service: b}], host: keep, strip: true}
  - {path: /a, methods: [PUT], service: b, policies: {timeouts: {attempt_s: 3}}}
  - {path: '/users/{id}', match: template, service: b, rewrite: {to: '/v2/${param.id}'}, auth: none}
  - {path: /old, redirect: {to: 'https://new.example${path}', status: 301}, auth: none}
  - {path: /x, headers: [{name: x-canary, value: '1'}], service: b}
plans: {gold: {policies: {rate_limits: [{name: day, rate: 100/10s}]}}}
keys:
  - name: acme
    secret: ${env:KEY}
    plan: gold
    policies:
      timeouts: {attempt_s: 1}
      request_transform: {set_headers: {authorization: 'Bearer ${env:TOKEN}'}}
"""
ENVIRON = {"KEY": "fg_demo_0123456789abcdef", "TOKEN": "a-token-nobody-may-see"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "foregate.yaml").write_text(TEXT)
    return tmp_path


def explained(folder: Path, asked: Asked) -> Explanation:
    loaded = load(folder / "foregate.yaml", ENVIRON)
    return explain(verified(loaded, b"pepper"), asked, loaded.document.environment)


def test_it_names_the_route_and_why_the_others_were_not_taken(folder: Path) -> None:
    found = explained(folder, Asked("PUT", "/a/b"))
    assert found.route == "PUT:/a"
    why = {each.route: each.why for each in found.considered}
    assert "PUT:/a goes first" in why["/a"]
    assert "has more conditions" in why["/a"]
    assert why["/users/{id}"] == "the path /a/b is not /users/{}"


def test_it_gives_shares_targets_algorithm_path_and_host_of_each_service(folder: Path) -> None:
    found = explained(folder, Asked("GET", "http://shop.example:8080/a/b?q=1"))
    first, second = found.ways
    assert (first.service, first.share, first.algorithm) == ("a", 0.9, "consistent_hash by ip")
    assert first.targets == ("http://127.0.0.1:9001", "http://127.0.0.1:9002 (weight 3) in eu")
    assert (first.path, first.host) == ("/b", "shop.example:8080")
    assert (second.algorithm, second.path) == ("its only target", "/base/b")


@pytest.mark.parametrize(
    ("asked", "set_by", "seconds"),
    [
        (Asked("GET", "/users/7"), "global", 9),
        (Asked("GET", "/a"), "service a", 5),
        (Asked("PUT", "/a"), "route PUT:/a", 3),
        (Asked("PUT", "/a", key="acme"), "key acme", 1),
    ],
)
def test_the_most_specific_place_wins_and_is_named(folder: Path, asked: Asked, set_by: str, seconds: float) -> None:
    (timeouts,) = [met for met in explained(folder, asked).ways[0].policies if met.policy == "timeouts"]
    assert (timeouts.set_by, timeouts.settings) == (set_by, {"attempt_s": seconds})


def test_what_is_known_of_verdicts_is_said(folder: Path) -> None:
    met = {each.policy: each for each in explained(folder, Asked("GET", "/a", key="acme", client="10.1.1.1")).policies}
    assert met["ip_filter"].verdict == "refuses 10.1.1.1: it is denied (403)"
    assert met["api_key"].verdict == "passes as acme"
    assert (met["rate_limits"].set_by, met["rate_limits"].settings["rate"]) == ("plan gold", "100/10s")
    open_to_nobody = {each.policy: each for each in explained(folder, Asked("GET", "/a")).policies}
    assert open_to_nobody["api_key"].verdict == "without credentials: 401 (any of api_key is enough)"
    assert "rate_limits" not in open_to_nobody


def test_secrets_are_never_shown(folder: Path) -> None:
    said = str(explained(folder, Asked("GET", "/a", key="acme")))
    assert ENVIRON["TOKEN"] not in said
    assert ENVIRON["KEY"] not in said
    assert "Bearer ${env:TOKEN}" in said


def test_a_path_is_rewritten_as_for_a_request(folder: Path) -> None:
    assert explained(folder, Asked("GET", "/users/a%2fb")).route is None
    assert explained(folder, Asked("GET", "/users/a%20b")).ways[0].path == "/base/v2/a%20b"


def test_what_has_no_service_says_how_it_is_answered(folder: Path) -> None:
    assert explained(folder, Asked("GET", "/old/x")).outcome == "is sent to https://new.example${path} (301)"


def test_what_no_route_takes_meets_the_policies_that_go_by_its_address(folder: Path) -> None:
    for asked, outcome in (
        (Asked("GET", "/nowhere", client="10.1.1.1"), "404 route_not_found"),
        (Asked("GET", "/a/./b", client="10.1.1.1"), "400 malformed_request: the path is ambiguous"),
    ):
        found = explained(folder, asked)
        assert found.outcome == outcome
        said = [(each.policy, each.set_by, each.verdict) for each in found.policies]
        assert said == [("ip_filter", "global", "refuses 10.1.1.1: it is denied (403)")]


def test_head_is_taken_where_get_is(folder: Path) -> None:
    (folder / "foregate.yaml").write_text(TEXT.replace("methods: [PUT]", "methods: [GET]"))
    assert explained(folder, Asked("HEAD", "/a")).ways[0].service == "b"


def test_conditions_are_looked_at(folder: Path) -> None:
    assert explained(folder, Asked("GET", "/x")).outcome == "404 route_not_found"
    assert explained(folder, Asked("GET", "/x", [(b"x-canary", b"1")])).route == "/x"


def test_an_ambiguous_path_is_refused_for_every_route(folder: Path) -> None:
    found = explained(folder, Asked("GET", "/a/..;x/b"))
    assert found.outcome == "400 malformed_request: the path is ambiguous"
    assert not any(each.matched for each in found.considered)


def test_it_says_whether_a_route_takes_websockets(tmp_path: Path) -> None:
    (tmp_path / "foregate.yaml").write_text(
        "services: {a: {targets: ['http://127.0.0.1:9001']}}\n"
        "routes:\n"
        "  - {path: /ws, service: a, auth: none, policies: {websocket: {origins: ['https://app.example']}}}\n"
        "  - {path: /plain, service: a, auth: none}\n"
    )
    wish = (b"upgrade", b"websocket")
    asked = {
        "/ws": Asked("GET", "/ws", [wish]),
        "of a page": Asked("GET", "/ws", [wish, (b"origin", b"https://app.example")]),
        "of another": Asked("GET", "/ws", [wish, (b"origin", b"https://evil.example")]),
    }
    said = {
        name: next(met.verdict for met in explained(tmp_path, one).policies if met.policy == "websocket")
        for name, one in asked.items()
    }
    assert said["/ws"] == said["of a page"] == "takes WebSockets"
    assert said["of another"] == "refuses WebSockets of pages of https://evil.example (403)"
    assert explained(tmp_path, Asked("GET", "/plain", [wish])).outcome.endswith("this route takes no WebSockets")
