"""A valid configuration becomes a snapshot that survives its own encoding."""

from pathlib import Path

import pytest

from foregate.app.config import load
from foregate.app.config.compile import compile_snapshot
from foregate.kernel.secrets import hash_key
from foregate.wire.policies import NO_POLICIES, Hmac, Rate, RateLimit, RequestTransform
from foregate.wire.snapshot import Certificate, Listener, Snapshot, Target, Weighted, decode_snapshot, encode_snapshot

PEPPER = b"p" * 32
FULL = """\
listen:
  gateway:
    - {address: 'unix:/run/fg.sock', http2: false}
    - {address: '[::1]:8443', tls: [{certificate: a.pem, key: /b.pem}]}
policies: {ip_filter: {deny: [10.0.0.0/8]}, hmac: {secrets: {acme: '${env:SECRET}'}}}
services:
  a:
    targets:
      - http://127.0.0.1:9001/
      - {url: 'https://b.example/v1/', weight: 3, zone: eu-1}
      - unix:/run/app.sock:/base
    balance: {algorithm: consistent_hash, hash_by: 'header:x-user'}
    health: {active: {path: /healthz, interval_s: 1}, outlier: {}}
    tls: {ca_file: ca.pem}
  b: {targets: ['http://[::1]:9000']}
routes:
  - {path: /a, services: [{service: a, weight: 9}, {service: b}], host: keep}
  - {path: /a, methods: [GET, HEAD], service: b, auth: [jwt, api_key], policies: {jwt: {issuer: i, jwks_url: https://x/k}}}
  - {path: /a, hosts: [x.example], service: b}
  - {path: '/users/{id}', match: template, service: b, rewrite: {to: '/v2/${param.id}'}, auth: none}
  - {path: /old, redirect: {to: 'https://new.example${path}', status: 301}, auth: none}
  - {name: teapot, path: /tea, answer: {status: 418, body: short}, headers: [{name: X-Tea, kind: present}]}
plans: {gold: {policies: {rate_limits: [{name: day, rate: 100/10s, algorithm: sliding_window}]}}}
keys:
  - name: acme
    secret: ${env:KEY}
    org: acme
    plan: gold
    policies: {request_transform: {set_headers: {X-T: '${env:SECRET}'}}}
trusted_proxies: [192.0.2.1]
limits: {store: 'redis://:${env:SECRET}@cache:6379/0', on_failure: closed}
"""
ENVIRON = {"KEY": "fg_demo_0123456789abcdef", "SECRET": "long-secret-value"}


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return compiled(tmp_path, FULL)


def compiled(folder: Path, text: str) -> Snapshot:
    file = folder / "foregate.yaml"
    file.write_text(text)
    loaded = load(file, ENVIRON)
    return compile_snapshot(loaded.config, PEPPER, loaded.folder)


def test_a_snapshot_survives_its_encoding(snapshot: Snapshot) -> None:
    assert decode_snapshot(encode_snapshot(snapshot)) == snapshot


def test_listeners_may_be_several_with_certificates_beside_the_file(snapshot: Snapshot, tmp_path: Path) -> None:
    certificate = Certificate(str(tmp_path / "a.pem"), "/b.pem")
    assert snapshot.listeners == (
        Listener("", 0, "/run/fg.sock", (), http2=False),
        Listener("::1", 8443, "", (certificate,)),
    )
    assert snapshot.services[0].tls.ca_file == str(tmp_path / "ca.pem")


def test_targets_are_taken_apart(snapshot: Snapshot) -> None:
    assert snapshot.services[0].targets == (
        Target("http://127.0.0.1:9001/", "127.0.0.1", 9001),
        Target("https://b.example/v1/", "b.example", 443, "/v1", tls=True, weight=3, zone="eu-1"),
        Target("unix:/run/app.sock:/base", "localhost", 80, "/base", socket="/run/app.sock"),
    )
    assert snapshot.services[1].targets[0].authority == "[::1]:9000"


def test_routes_without_a_name_get_one_that_nobody_else_has(snapshot: Snapshot) -> None:
    names = [route.name for route in snapshot.routes]
    assert names == ["/a", "GET,HEAD:/a", "x.example/a", "/users/{id}", "/old", "teapot"]
    assert snapshot.routes[0].services == (Weighted("a", 9), Weighted("b", 1))
    assert (snapshot.routes[0].host, snapshot.routes[1].host) == ("", None)
    assert snapshot.routes[1].auth == ("jwt", "api_key")
    assert snapshot.routes[5].rule.headers[0].name == "x-tea"


def test_policies_arrive_in_their_places(snapshot: Snapshot) -> None:
    assert snapshot.plans[0].policies.rate_limits == (
        RateLimit(name="day", rate=Rate(100, 10), algorithm="sliding_window"),
    )
    assert snapshot.policies.hmac == Hmac(secrets={"acme": ENVIRON["SECRET"]})
    assert snapshot.keys[0].policies.request_transform == RequestTransform(set_headers={"x-t": ENVIRON["SECRET"]})
    assert snapshot.services[1].policies == NO_POLICIES


def test_keys_are_stored_hashed_and_belong_to_an_org_and_a_plan(snapshot: Snapshot) -> None:
    key = snapshot.keys[0]
    assert (key.hash, key.org, key.plan) == (hash_key(ENVIRON["KEY"], PEPPER), "acme", "gold")
    assert ENVIRON["KEY"].encode() not in encode_snapshot(snapshot)


def test_the_shared_store_is_known_with_its_password(snapshot: Snapshot) -> None:
    assert snapshot.limits_url == "redis://:long-secret-value@cache:6379/0"
    assert not snapshot.limits_fail_open


def test_the_version_changes_with_the_content_alone(tmp_path: Path, snapshot: Snapshot) -> None:
    assert compiled(tmp_path, "# a remark\n" + FULL).version == snapshot.version
    assert compiled(tmp_path, FULL.replace("weight: 9", "weight: 8")).version != snapshot.version
    assert len(snapshot.version) == 12
