"""What `foregate config diff` says of two configurations: what people would say, and no secret."""

from pathlib import Path

from foregate.app.config import load
from foregate.app.config.difference import Change, differences
from foregate.app.config.verify import verified

TEXT = """\
policies: {hmac: {secrets: {acme: '${env:SECRET}'}}, retry: {attempts: 2}}
services:
  a: {targets: [http://127.0.0.1:9001, {url: 'http://127.0.0.1:9002', weight: 3}]}
routes:
  - {path: /a, service: a, strip: true}
  - {path: /b, service: a}
plans: {gold: {policies: {rate_limits: [{name: day, rate: 100/10s}, {name: burst, rate: 5/s}]}}}
keys: [{name: acme, secret: '${env:KEY}', plan: gold}]
"""
ENVIRON = {"KEY": "fg_demo_0123456789abcdef", "SECRET": "a-secret-nobody-may-see", "OTHER": "another-hidden-secret"}


def changes(folder: Path, *replaced: tuple[str, str]) -> list[Change]:
    after = TEXT
    for old, new in replaced:
        assert old in after
        after = after.replace(old, new, 1)
    found = []
    environment: dict[str, str] = {}
    for name, text in (("a.yaml", TEXT), ("b.yaml", after)):
        (folder / name).write_text(text)
        loaded = load(folder / name, ENVIRON)
        environment |= loaded.document.environment
        found.append(verified(loaded, b"pepper"))
    return differences(found[0], found[1], environment)


def test_the_same_configuration_has_no_differences(tmp_path: Path) -> None:
    assert changes(tmp_path) == []
    assert changes(tmp_path, ("retry: {attempts: 2}", "retry: {attempts: 2, jitter: 0.2}")) == []


def test_things_are_added_removed_and_changed_by_name(tmp_path: Path) -> None:
    found = changes(
        tmp_path,
        ("routes:", "  b: {targets: ['http://b']}\nroutes:"),
        ("  - {path: /b, service: a}\n", ""),
        ("strip: true", "strip: false"),
    )
    assert found == [
        Change("added", "service b"),
        Change("removed", "route /b"),
        Change("changed", "route /a", ("strip: True → (default)",)),
    ]


def test_targets_and_limits_are_told_apart_by_their_names(tmp_path: Path) -> None:
    found = changes(
        tmp_path, ("9001", "9003"), ("weight: 3", "weight: 4"), ("100/10s", "50/s"), ("attempts: 2", "attempts: 1")
    )
    assert [str(change) for change in found] == [
        "~ policies\n    retry.attempts: 2 → 1",
        (
            "~ service a\n    target http://127.0.0.1:9003 added\n    target http://127.0.0.1:9001 removed\n"
            "    target http://127.0.0.1:9002: weight: 3 → 4"
        ),
        "~ plan gold\n    policies.rate_limits[day].rate: 100/10s → 50/s",
    ]


def test_another_secret_is_said_and_not_shown(tmp_path: Path) -> None:
    found = changes(tmp_path, ("${env:SECRET}", "${env:OTHER}"), ("${env:KEY}", "${env:OTHER}"))
    said = "\n".join(map(str, found))
    assert "~ policies\n    another secret" in said
    assert "key acme\n    hash: another secret" in said
    assert not any(secret in said for secret in ENVIRON.values())


def test_another_order_of_routes_is_a_difference(tmp_path: Path) -> None:
    a, b = "  - {path: /a, service: a, strip: true}\n", "  - {path: /b, service: a}\n"
    (change,) = changes(tmp_path, (a + b, b + a))
    assert change.what == "order of routes"
