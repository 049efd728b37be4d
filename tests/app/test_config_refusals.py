"""Bad input to the configuration: refused whole, with file, line, key and the nearest known word."""

from pathlib import Path

import pytest

from foregate.app.config import Config, ConfigRefused, load

GOOD = """\
listen: {gateway: 127.0.0.1:8080, console: 127.0.0.1:8090}
services:
  ai:
    targets: [http://127.0.0.1:9000, http://127.0.0.1:9001]
    timeout_s: 30
    circuit_breaker: {failures: 5, open_s: 60}
    retry: {attempts: 3, base_s: 1, max_s: 4}
routes:
  - {path: /ai, service: ai, strip: true, auth: api_key, rate_limit: {rate: 100/s, burst: 200, per: key}}
  - {path: /status, service: ai, auth: none}
keys:
  - {name: demo, secret: ${env:FOREGATE_DEMO_KEY}}     # or hash: hmac-sha256:…
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
    assert config.services["ai"].circuit_breaker.open_s == 60
    assert config.routes[0].rate_limit is not None
    assert config.routes[0].rate_limit.rate == 100
    assert config.routes[0].auth == "api_key"
    assert config.keys[0].secret == ENVIRON["FOREGATE_DEMO_KEY"]


def test_no_file_is_a_valid_configuration_without_services() -> None:
    config = load(None, {}).config
    assert config.services == {}
    assert config.listen.gateway == "127.0.0.1:8080"


def test_a_route_without_auth_is_closed(tmp_path: Path) -> None:
    text = "services: {a: {targets: [http://127.0.0.1:1]}}\nroutes: [{path: /a, service: a}]\n"
    assert loaded(tmp_path, text).routes[0].auth == "api_key"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("console: 127", "consol: 127", 'foregate.yaml:1: listen.consol: is not a key here — did you mean "console"?'),
        (
            "timeout_s: 30",
            "rate_limit: {rate: 1/s}",
            "foregate.yaml:5: services.ai.rate_limit: is not a key here — it belongs under routes[]",
        ),
        (
            "routes:",
            "circuit_breaker: {}\nroutes:",
            "foregate.yaml:8: circuit_breaker: is not a key here — it belongs under services.<name>",
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
        ("service: ai, auth", "service: ia, auth", 'routes[1].service: there is no service "ia" — did you mean "ai"?'),
        ("100/s", "fast", 'routes[0].rate_limit.rate: "fast" is not a rate like 100/s, 600/m or 5000/h'),
        ("path: /status", "path: status", 'routes[1].path: "status" must start with "/"'),
        ("path: /status", "path: /ai", "foregate.yaml:10: routes[1].path: is the path of routes[0] already"),
        ("auth: api_key, rate", "auth: none, rate", "routes[0].rate_limit: counts per key, but auth is none"),
        ("failures: 5", "failures: 0", "circuit_breaker.failures: should be greater than or equal to 1 (it is 0)"),
        ("base_s: 1", "base_s: 9", "services.ai.retry: base_s (9) is larger than max_s (4)"),
        ("console: 127.0.0.1", "console: 0.0.0.0", "listen.console: the console binds to loopback only"),
        ("timeout_s: 30", "timeout_s: soon", "services.ai.timeout_s: should be a valid number"),
        ("    timeout_s: 30", "    timeout_s: 30\n    timeout_s: 31", "is given twice (first at foregate.yaml:5)"),
        ("${env:FOREGATE_DEMO_KEY}", "plain-text-secret-1", "keys[0].secret: must not stand in the file"),
        ("http://127.0.0.1:9001", "https://x.example", "TLS to upstreams is not there yet"),
        ("http://127.0.0.1:9001", "http://a..b:9000", 'services.ai.targets[1]: "http://a..b:9000" is not a URL: '),
        ("http://127.0.0.1:9001", "http://a/ b", "must be ASCII, without spaces"),
        ("routes:", "alerts: {webhook: http://127.0.0.1:99999/h}\nroutes:", "foregate.yaml:8: alerts.webhook: "),
        ("routes:", "alerts: {webhook: http://127.0.0.1/höök}\nroutes:", "must be ASCII, without spaces"),
        ("services:\n  ai:", "services:\n  'a i':", 'services.a i: "a i" is not a name'),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    found = problems(tmp_path, GOOD.replace(old, new, 1))
    assert any(expected in problem for problem in found), found


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("console:", "consol:").replace("100/s", "x").replace("path: /status", "path: status")
    assert len(problems(tmp_path, text)) == 3


def test_a_missing_environment_variable_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD, {}) == [
        "foregate.yaml:12: keys[0].secret: needs the environment variable FOREGATE_DEMO_KEY, which is not set"
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
    environ = {**ENVIRON, "FOREGATE__LISTEN__GATEWAY": "127.0.0.1:9999", "FOREGATE__SERVICES__AI__TIMEOUT_S": "7"}
    config = loaded(tmp_path, GOOD, environ)
    assert config.listen.gateway == "127.0.0.1:9999"
    assert config.services["ai"].timeout_s == 7


def test_alert_threshold_keeps_its_old_name_and_a_bad_one_is_named(tmp_path: Path) -> None:
    assert loaded(tmp_path, GOOD, {**ENVIRON, "ALERT_THRESHOLD": "0.6"}).alerts.threshold == 0.6
    found = problems(tmp_path, GOOD, {**ENVIRON, "ALERT_THRESHOLD": "2"})
    assert found[0].startswith("environment variable ALERT_THRESHOLD: alerts.threshold: should be less than 1")


def test_a_misspelt_override_is_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD, {**ENVIRON, "FOREGATE__LISTEN__GATEWAI": "x"})
    assert found == [
        'environment variable FOREGATE__LISTEN__GATEWAI: listen.gatewai: is not a key here — did you mean "gateway"?'
    ]
