"""Services with models and routes to them, as people write them: what is refused, and what is said of it."""

from pathlib import Path

import pytest
from tests.app.test_config_refusals import loaded, problems

from foregate.app.config import load
from foregate.app.config.difference import differences
from foregate.app.config.explain import Asked, explain
from foregate.app.config.verify import verified
from foregate.app.config.warnings import warnings
from foregate.wire.ai import Price

GOOD = """\
services:
  openai:
    targets: ['https://api.openai.com']
    ai: {provider: openai, key: '${env:OPENAI}', models: {gpt-5: {price: {input: 1, output: 2}}, 'o*': {}}}
  claude:
    targets: ['https://api.anthropic.com']
    ai: {provider: anthropic, key: '${env:ANTHROPIC}', models: {sonnet: {name: claude-sonnet-4-5}}}
  plain: {targets: ['http://127.0.0.1:9000']}
routes:
  - path: /v1
    ai:
      services: [openai, claude]
      models: {smart: {to: [gpt-5, claude/sonnet], routing: cost, fallback: [o3]}}
    policies: {token_limits: [{rate: 1000/m}]}
"""
ENVIRON = {"OPENAI": "sk-nobody-may-see-this", "ANTHROPIC": "sk-ant-nor-this-one"}


@pytest.mark.parametrize("key", ["sk-of-a-file\n", "sk-evil\r\nx-other: 1", "sk-typo\u2013graphic"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(tmp_path: Path, key: str) -> None:
    (said,) = problems(tmp_path, GOOD, ENVIRON | {"OPENAI": key})
    assert "services.openai.ai: key holds a line break" in said
    assert "sk-" not in said


def test_the_shape_people_learn_is_valid(tmp_path: Path) -> None:
    config = loaded(tmp_path, GOOD, ENVIRON)
    provider, route = config.services["openai"].ai, config.routes[0].ai
    assert provider is not None
    assert route is not None
    assert (provider.key, provider.models["gpt-5"].price) == (ENVIRON["OPENAI"], Price(input=1.0, output=2.0))
    assert route.models["smart"].to == ("gpt-5", "claude/sonnet")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("key: '${env:OPENAI}'", "key: sk-in-the-file", "must not stand in the file"),
        ("key: '${env:OPENAI}', ", "", "needs key: openai answers nobody without one"),
        ("services: [openai, claude]", "services: [opnai, claude]", 'no service "opnai" — did you mean "openai"?'),
        ("services: [openai, claude]", "services: [openai, plain]", 'the service "plain" has no ai'),
        ("to: [gpt-5, claude/sonnet]", "to: [gpt-6]", 'no service of this route has a model "gpt-6"'),
        ("fallback: [o3]", "fallback: [claude/opus]", 'has a model "claude/opus"'),
        ("smart: {to: [gpt-5, claude/sonnet], ", "smart: {", 'needs to: no service of this route has a model "smart"'),
        ("https://api.openai.com", "https://api.openai.com/v1", "leave /v1 off"),
        ("  - path: /v1\n", "  - path: /v1\n    strip: true\n", "belongs to a route with a service"),
        ("  - path: /v1\n", "  - path: /v1\n    service: plain\n", "needs exactly one of service, services, redirect,"),
        ("'o*': {}", "'o*-*': {}", "more than one *"),
        ("[{rate: 1000/m}]", "[{name: a}]", "needs either a rate such as 100000/m or a quota"),
        ("[{rate: 1000/m}]", "[{quota: 5}]", "quota and period (day or month) belong together"),
        ("[{rate: 1000/m}]", "[{quota: 5000000000, period: day}]", "less than or equal to 4294967295"),
        ("policies: {token", "auth: none\n    policies: {token", "counts per key, but auth is none"),
        ("policies: {token", "policies: {hedge: {after_s: 1}, token", "does nothing on a route to models"),
        (
            "policies: {token",
            "policies: {fallback: {service: plain}, token",
            "does nothing on a route to models: name models",
        ),
        (
            "    ai: {provider: anthropic",
            "    policies: {ip_filter: {deny: [10.0.0.0/8]}}\n    ai: {provider: anthropic",
            "leads to claude, whose policies.ip_filter would not be asked",
        ),
        (
            "    ai:\n      services: [openai, claude]",
            "    auth: none\n    ai:\n      answer_cache: {}\n      services: [openai, claude]",
            "Only public answers can be shared",
        ),
    ],
)
def test_what_does_not_fit_together_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    found = problems(tmp_path, GOOD.replace(old, new, 1), ENVIRON)
    assert any(said in problem for problem in found), found


def test_what_a_service_keeps_for_itself_is_no_contradiction(tmp_path: Path) -> None:
    own = "    policies: {bulkhead: {max: 5}, ip_filter: {deny: [10.0.0.0/8]}, retry: {attempts: 1}}\n"
    text = GOOD.replace("    ai: {provider: anthropic", own + "    ai: {provider: anthropic")
    text = text.replace("policies: {token", "policies: {ip_filter: {deny: [10.0.0.0/8]}, token")
    assert loaded(tmp_path, text, ENVIRON).services["claude"].policies.bulkhead is not None


def test_models_that_are_open_to_all_are_warned_of(tmp_path: Path) -> None:
    opened = GOOD.replace("policies: {token_limits: [{rate: 1000/m}]}", "auth: none")
    found = list(warnings(loaded(tmp_path, opened, ENVIRON)))
    sentence = "everybody who reaches this route may use the models of openai, claude, at your cost"
    assert found == [(("routes", 0, "auth"), sentence)]
    assert list(warnings(loaded(tmp_path, GOOD, ENVIRON))) == []


def test_it_is_explained_and_compared_without_a_secret(tmp_path: Path) -> None:
    snapshots = []
    for name, key in (("a.yaml", "OPENAI"), ("b.yaml", "ANTHROPIC")):
        (tmp_path / name).write_text(GOOD.replace("${env:OPENAI}", f"${{env:{key}}}"))
        snapshots.append(verified(load(tmp_path / name, ENVIRON), b"pepper"))
    found = explain(snapshots[0], Asked("POST", "/v1/chat/completions"), {})
    assert found.outcome == "asks models of openai, claude, by order"
    assert [met.policy for met in found.policies] == ["api_key", "token_limits"]
    assert "bearer': True" in str(found.policies[0].settings)
    changes = str([str(change) for change in differences(snapshots[0], snapshots[1], {})])
    assert "another secret" in changes
    assert "sk-" not in changes + str(found)
