"""Bad input to the configuration: refused whole, with file, line, key and the nearest known word."""

from pathlib import Path

import pytest

from foregate.app.config import Config, ConfigRefused, load
from foregate.app.config.wanted import WANTED
from foregate.wire.policies import CircuitBreaker, Rate, RateLimit

GOOD = """\
listen: {gateway: 127.0.0.1:8080, console: 127.0.0.1:8090}
services:
  ai:
    targets: [http://127.0.0.1:9000, http://127.0.0.1:9001]
    connect_timeout_s: 30
    policies:
      circuit_breaker: {failures: 5, open_s: 60}
      retry: {attempts: 3, base_s: 1, max_s: 4}
routes:
  - {path: /ai, service: ai, strip: true, auth: api_key, policies: {rate_limits: [{rate: 100/s, burst: 200}]}}
  - {path: /status, service: ai, auth: none}
plans: {gold: {policies: {priority: 90}}}
keys:
  - {name: demo, secret: ${env:FOREGATE_DEMO_KEY}, plan: gold}     # or hash: hmac-sha256:…
"""
ENVIRON = {"FOREGATE_DEMO_KEY": "fg_demo_0123456789abcdef"}


def problems(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    file = tmp_path / "foregate.yaml"
    file.write_text(text)
    with pytest.raises(ConfigRefused) as refused:
        load(file, ENVIRON if environ is None else environ)
    return [str(problem).replace(f"{tmp_path}/", "") for problem in refused.value.problems]


def loaded(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    file = tmp_path / "foregate.yaml"
    file.write_text(text)
    return load(file, ENVIRON if environ is None else environ).config


def test_the_shape_people_learn_is_valid(tmp_path: Path) -> None:
    config = loaded(tmp_path, GOOD)
    assert config.services["ai"].policies.circuit_breaker == CircuitBreaker(failures=5, open_s=60)
    assert config.routes[0].policies.rate_limits == (RateLimit(rate=Rate(100, 1), burst=200),)
    assert config.routes[0].auth == ("api_key",)
    assert config.routes[1].auth == ()
    assert config.keys[0].secret == ENVIRON["FOREGATE_DEMO_KEY"]
    assert config.plans["gold"].policies.priority == 90


def test_no_file_is_a_valid_configuration_without_services() -> None:
    config = load(None, {}).config
    assert config.services == {}
    assert config.listen.gateway == "127.0.0.1:8080"


def test_a_route_without_auth_is_closed(tmp_path: Path) -> None:
    text = "services: {a: {targets: [http://127.0.0.1:1]}}\nroutes: [{path: /a, service: a}]\n"
    assert loaded(tmp_path, text).routes[0].auth == ("api_key",)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("console: 127", "consol: 127", 'foregate.yaml:1: listen.consol: is not a key here — did you mean "console"?'),
        (
            "connect_timeout_s: 30",
            "rate_limits: [{rate: 1/s}]",
            "foregate.yaml:5: services.ai.rate_limits: is not a key here — it belongs under services.ai.policies",
        ),
        (
            "routes:",
            "virtual_nodes: 3\nroutes:",
            "foregate.yaml:9: virtual_nodes: is not a key here — it belongs under services.<name>.balance",
        ),
        (
            "policies: {rate_limits: [{rate: 100/s, burst: 200}]}",
            "policies: {circuit_breaker: {}}",
            "routes[0].policies.circuit_breaker: is not a key here — it belongs under policies or services.<name>.",
        ),
        (
            "policies: {priority: 90}",
            "policies: {cors: {origins: ['*']}}",
            "plans.gold.policies.cors: is not a key here — it belongs under policies or services.<name>.policies",
        ),
        (
            "http://127.0.0.1:9001",
            "http://:9001",
            'foregate.yaml:4: services.ai.targets[1]: "http://:9001" is not a URL like http://127.0.0.1:9000',
        ),
        (
            "http://127.0.0.1:9001",
            "http://127.0.0.1:99999",
            'services.ai.targets[1]: "http://127.0.0.1:99999" is not a URL: Port out of range 0-65535',
        ),
        (
            "http://127.0.0.1:9001",
            "{url: 'http://127.0.0.1:9001', weight: 0}",
            "services.ai.targets[1].weight: should be greater than or equal to 1 (it is 0)",
        ),
        ("http://127.0.0.1:9001", "unix:app.sock", 'services.ai.targets[1]: "unix:app.sock" must name a socket'),
        ("service: ai, auth", "service: ia, auth", 'routes[1].service: there is no service "ia" — did you mean "ai"?'),
        (
            "service: ai, auth",
            "services: [{service: ai, weight: 9}, {service: ia}], auth",
            'routes[1].services[1].service: there is no service "ia"',
        ),
        ("service: ai, auth", "services: [{service: ai, weight: 0}], auth", "routes[1]: services: every weight is 0"),
        ("100/s", "fast", 'policies.rate_limits[0].rate: "fast" is not a rate like 100/s, 600/m, 5000/h or 100/10s'),
        ("path: /status", "path: status", 'routes[1].path: "status" must start with "/"'),
        ("path: /status", "path: /..", 'routes[1].path: "/.." has the dot segment'),
        ("path: /status", "path: '/a/(x+)+', match: regex", "routes[1].path: "),
        ("path: /status", "path: '/{id}/{id}', match: template", "routes[1].path: "),
        ("path: /status", "path: /status, hosts: ['*']", 'routes[1].hosts: host "*" takes every host'),
        ("path: /status", "path: /status, methods: [get]", 'routes[1].methods: method "get" is not a method'),
        (
            "path: /status,",
            "path: /status, policies: {websocket: {origins: [app.example]}},",
            'foregate.yaml:11: routes[1].policies.websocket: origin "app.example" is not scheme://host',
        ),
        (
            "path: /status,",
            "path: /status, policies: {websocket: {idle_timeout_s: 30, ping_s: 30}},",
            "foregate.yaml:11: routes[1].policies.websocket: ping_s (30) is not shorter than idle_timeout_s (30)",
        ),
        ("path: /status", "path: /ai", "foregate.yaml:11: routes[1].path: is the path of routes[0] already"),
        (
            "path: /status, service: ai, auth: none}",
            "path: /x, methods: [PUT, GET], service: ai}\n  - {path: /x, methods: [GET, PUT], service: ai}",
            "routes[2].path: asks, with its conditions, for the same as routes[1] already",
        ),
        (
            "path: /status",
            "path: /s, redirect: {to: /x}",
            "routes[1]: needs exactly one of service, services, redirect",
        ),
        ("path: /status, service: ai", "path: /status", "routes[1]: needs exactly one of service, services, redirect"),
        ("path: /status", "path: /s, strip: true, rewrite: {to: /x}", "strip and rewrite say two different paths"),
        (
            "path: /status",
            "path: '/s/{id}', match: template, rewrite: {to: '/x/${param.ix}'}",
            "routes[1].rewrite: ",
        ),
        ("path: /status", "path: /s, rewrite: {to: '/x/../y'}", "routes[1].rewrite: "),
        (
            "path: /status, service: ai",
            "path: /s, redirect: {to: '/x/${param.id}'}",
            "routes[1].redirect.to: names ${param.id}, which this route has not",
        ),
        ("path: /status", "path: '/s/.*', match: regex, strip: true", "routes[1].strip: has nothing to take off"),
        (
            "retry: {",
            "fallback: {body: x, on: [circuit_opened]}\n      retry: {",
            'policies.fallback.on[0]: there is no error "circuit_opened" — did you mean "circuit_open"?',
        ),
        ("retry: {", "fallback: {service: ai}\n      retry: {", "policies.fallback.service: is this service itself"),
        (
            "retry: {",
            "response_transform: {set_headers: {X-A: '1', x-a: '2'}}\n      retry: {",
            'response_transform.set_headers: names the header field "x-a" twice',
        ),
        (
            "retry: {",
            "response_transform: {set_headers: {Content-Length: '1'}}\n      retry: {",
            '"content-length" is written by foregate itself',
        ),
        (
            "retry: {",
            "request_transform: {set_body: {day: 2026-01-01}}\n      retry: {",
            "request_transform.set_body.day: datetime.date(2026, 1, 1) is not a value of JSON: put it in quotes",
        ),
        ("http://127.0.0.1:9001", "http://127.0.0.1:9000", "services.ai.targets[1]: is targets[0] already"),
        (
            "plan: gold}",
            "plan: gold}\n  - {name: other, secret: '${env:FOREGATE_DEMO_KEY}'}",
            "keys[1].secret: is the same as that of keys[0]",
        ),
        ("routes:", "predict:\nroutes:", "predict: should be a mapping (it is empty)"),
        ("path: /status", "name: a b, path: /status", 'routes[1].name: "a b" is not a name'),
        ("auth: none", "auth: nun", 'routes[1].auth: "nun" is not one of api_key, jwt, basic, hmac, mtls, none'),
        ("auth: none", "auth: [api_key, none]", "(none stands alone)"),
        ("auth: none", "auth: []", "routes[1].auth: names no method"),
        ("auth: none", "auth: jwt", "routes[1].auth: is jwt, whose settings are missing"),
        ("auth: api_key, pol", "auth: none, pol", "policies.rate_limits[0]: counts per key, but auth is none"),
        ("failures: 5", "failures: 0", "circuit_breaker.failures: should be greater than or equal to 1 (it is 0)"),
        ("base_s: 1", "base_s: 9", "services.ai.policies.retry: base_s (9) is larger than max_s (4)"),
        ("console: 127.0.0.1", "console: 0.0.0.0", "listen.console: the console binds to loopback only"),
        ("gateway: 127.0.0.1:8080", "gateway: nowhere", 'listen.gateway: "nowhere" is not an address'),
        ("gateway: 127.0.0.1:8080", "gateway: [{address: x}]", 'listen.gateway[0].address: "x" is not an address'),
        ("gateway: 127.0.0.1:8080", "gateway: [{adress: 'unix:/x'}]", "listen.gateway[0].adress: is not a key here"),
        (
            "gateway: 127.0.0.1:8080",
            "gateway: [{address: 'unix:/x'}, {address: 'unix:/x'}]",
            "listen.gateway[1].address: is listen.gateway[0] already",
        ),
        ("connect_timeout_s: 30", "connect_timeout_s: soon", "services.ai.connect_timeout_s: should be a valid number"),
        ("connect_timeout_s: 30", "connect_timeout_s: .inf", "connect_timeout_s: should be a finite number"),
        (
            "    connect_timeout_s: 30",
            "    connect_timeout_s: 30\n    connect_timeout_s: 31",
            "is given twice (first at foregate.yaml:5)",
        ),
        ("${env:FOREGATE_DEMO_KEY}", "plain-text-secret-1", "keys[0].secret: must not stand in the file"),
        ("plan: gold}", "plan: golt}", 'keys[0].plan: there is no plan "golt" — did you mean "gold"?'),
        ("http://127.0.0.1:9001", "http://a..b:9000", 'services.ai.targets[1]: "http://a..b:9000" is not a URL: '),
        ("http://127.0.0.1:9001", "http://a/ b", "must be ASCII, without spaces"),
        ("routes:", "alerts: {webhook: http://127.0.0.1:99999/h}\nroutes:", "foregate.yaml:9: alerts.webhook: "),
        ("routes:", "alerts: {webhook: http://127.0.0.1/höök}\nroutes:", "must be ASCII, without spaces"),
        ("routes:", "limits: {store: 'redis://:hunter2@h:1'}\nroutes:", "limits.store: holds a password"),
        ("routes:", "telemetry: {store: 'postgresql://u:pw@h/d'}\nroutes:", "telemetry.store: holds a password"),
        ("routes:", "telemetry: {store: 'postgresql://h/d?password=x'}\nroutes:", "store: holds a password"),
        ("routes:", "telemetry: {store: 'mysql://h/d'}\nroutes:", "store: is not a URL like postgresql://foregate@"),
        ("routes:", "trusted_proxies: [10.0.0.1/8]\nroutes:", "do you mean 10.0.0.0/8?"),
        ("services:\n  ai:", "services:\n  'a i':", 'services.a i: "a i" is not a name'),
        (
            "retry: {",
            "mirror: {service: aj}\n      retry: {",
            'mirror.service: there is no service "aj" — did you mean "ai"?',
        ),
        ("retry: {", "mirror: {service: ai}\n      retry: {", "policies.mirror.service: is this service itself"),
        ("strip: true,", "strip: true, canary: {service: ai},", "canary.service: is the route's own service"),
        ("strip: true,", "strip: true, canary: {service: aj},", 'canary.service: there is no service "aj"'),
        ("service: ai, auth: none", "answer: {}, canary: {service: ai}, auth: none", "routes[1]: canary: a share of"),
        ("retry: {", "mirror: {service: x, ignore: [a]}\n      retry: {", "must be a JSON pointer"),
        ("burst: 200}", "burst: 200}, {rate: 1/s}", 'rate_limits[1]: is called "default", as rate_limits[0] is'),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    found = problems(tmp_path, GOOD.replace(old, new, 1))
    assert any(expected in problem for problem in found), found


def test_websockets_of_a_service_of_http2_alone_are_a_mistake(tmp_path: Path) -> None:
    text = GOOD.replace("    connect_timeout_s: 30", "    protocol: h2").replace(
        "path: /status,", "path: /status, policies: {websocket: {}},"
    )
    sentence = 'the service "ai" is spoken to over HTTP/2 alone, and WebSockets over HTTP/1.1'
    assert problems(tmp_path, text) == [f"foregate.yaml:11: routes[1].policies.websocket: {sentence}"]


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("console:", "consol:").replace("100/s", "x").replace("path: /status", "path: status")
    assert len(problems(tmp_path, text)) == 3


def test_a_missing_environment_variable_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD, {}) == [
        "foregate.yaml:14: keys[0].secret: needs the environment variable FOREGATE_DEMO_KEY, which is not set"
    ]


def test_a_secret_is_never_shown_in_a_message(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD, {"FOREGATE_DEMO_KEY": "tooshort"})
    assert found
    assert "tooshort" not in "".join(found)


def test_broken_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    assert problems(tmp_path, "services:\n  a: [\n")[0].startswith("foregate.yaml:3: is not valid YAML")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused, match=r"nowhere\.yaml: cannot be read: No such file"):
        load(tmp_path / "nowhere.yaml", {})


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "unfolds to too many" in problems(tmp_path, "\n".join(lines))[0]


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    environ = {
        **ENVIRON,
        "FOREGATE__LISTEN__GATEWAY": "127.0.0.1:9999",
        "FOREGATE__SERVICES__AI__CONNECT_TIMEOUT_S": "7",
    }
    config = loaded(tmp_path, GOOD, environ)
    assert config.listen.gateway == "127.0.0.1:9999"
    assert config.services["ai"].connect_timeout_s == 7


def test_alert_threshold_keeps_its_old_name_and_a_bad_one_is_named(tmp_path: Path) -> None:
    assert loaded(tmp_path, GOOD, {**ENVIRON, "ALERT_THRESHOLD": "0.6"}).alerts.threshold == 0.6
    found = problems(tmp_path, GOOD, {**ENVIRON, "ALERT_THRESHOLD": "2"})
    assert found[0].startswith("environment variable ALERT_THRESHOLD: alerts.threshold: should be less than 1")


def test_a_misspelt_override_is_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD, {**ENVIRON, "FOREGATE__LISTEN__GATEWAI": "x"})
    assert found == [
        'environment variable FOREGATE__LISTEN__GATEWAI: listen.gatewai: is not a key here — did you mean "gateway"?'
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "connect_timeout_s: 30",
            "timeout_s: 30",
            "services.ai.timeout_s: is not a key here — it has moved to policies.",
        ),
        ("connect_timeout_s: 30", "retry: {}", "services.ai.retry: is not a key here — it has moved to policies.retry"),
        ("connect_timeout_s: 30", "circuit_breaker: {}", "it has moved to policies.circuit_breaker"),
        ("connect_timeout_s: 30", "body_bytes_max: 3", "it has moved to policies.bounds.body_bytes_max"),
        (
            "strip: true",
            "rate_limit: {rate: 1/s}",
            "routes[0].rate_limit: is not a key here — it has moved to policies.rat",
        ),
    ],
)
def test_a_key_of_an_earlier_version_says_where_it_went(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    found = problems(tmp_path, GOOD.replace(old, new, 1))
    assert any(expected in problem for problem in found), found


def test_thousands_of_mistakes_are_not_all_said(tmp_path: Path) -> None:
    found = problems(tmp_path, "routes:\n" + "  - {path: /x}\n" * 5_000)
    assert len(found) == 101
    assert found[-1].endswith("and 4900 more problems")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "policies: {rate_limits: [{rate: 1/s, by: a thing}]}",
            "by: must be key, org, plan, ip, route, service, all, or header:Name (it is 'a thing')",
        ),
        (
            "services: {a: {targets: [http://h:1], health: {active: {path: live}}}}",
            "path: must be a path: \"/\" and then visible ASCII without spaces (it is 'live')",
        ),
        ("keys: [{name: k, hash: abc}]", "hash: must be what foregate keys hash prints"),
    ],
)
def test_what_a_value_must_look_like_is_said_in_words(tmp_path: Path, given: str, said: str) -> None:
    (problem,) = problems(tmp_path, given)
    assert said in problem


def test_every_expression_that_values_are_held_against_has_words() -> None:
    found: set[str] = set()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            found.update(text for text in [node.get("pattern")] if isinstance(text, str))
            for each in node.values():
                walk(each)
        elif isinstance(node, list):
            for each in node:
                walk(each)

    walk(Config.model_json_schema())
    assert found
    assert found == set(WANTED)


def test_a_bad_target_is_one_problem_and_a_list_without_any_is_one_too(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "services: {a: {targets: [nonsense]}}")
    assert problem.endswith('services.a.targets[0]: "nonsense" is not a URL like http://127.0.0.1:9000')
    (problem,) = problems(tmp_path, "services: {a: {targets: []}}")
    assert problem.endswith("services.a.targets: the list should have at least 1 item, not 0 (it is a list of 0)")
