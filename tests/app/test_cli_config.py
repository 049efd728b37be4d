"""`foregate config` as a person or a script calls it: what is printed, and with which exit status."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from foregate.app.cli.config import app

GOOD = """\
services: {a: {targets: [http://127.0.0.1:9001]}}
routes: [{path: /a, service: a}]
keys: [{name: acme, secret: '${env:CLI_TEST_KEY}'}]
"""
KEY = "fg_demo_0123456789abcdef"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"CLI_TEST_KEY": KEY})


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "a.yaml").write_text(GOOD)
    return str(tmp_path / "a.yaml")


def changed(file: str, old: str, new: str) -> str:
    other = Path(file).with_name("b.yaml")
    assert old in GOOD
    other.write_text(GOOD.replace(old, new))
    return str(other)


def test_check_counts_what_is_there(file: str) -> None:
    done = run("check", "-c", file)
    assert (done.exit_code, done.stdout) == (0, f"{file} is valid: 1 service, 1 route, 1 key\n")


def test_check_says_every_problem_with_status_2(file: str) -> None:
    done = run("check", "-c", changed(file, "service: a}", "service: b, auth: nun}"))
    assert done.exit_code == 2
    assert "routes[0].auth" in done.stderr


def test_check_speaks_json_either_way(file: str) -> None:
    good = json.loads(run("check", "-c", file, "-o", "json").stdout)
    assert (good["valid"], good["services"]) == (True, 1)
    bad = run("check", "-c", changed(file, "service: a}", "service: b}"), "-o", "json")
    assert bad.exit_code == 2
    (problem,) = json.loads(bad.stdout)["problems"]
    assert problem["key"] == "routes[0].service"
    assert problem["where"].endswith("b.yaml:2")


def test_check_warns_of_a_closed_path_that_is_open_by_other_methods(file: str) -> None:
    routes = "routes: [{name: all, path: /, service: a, auth: none}, {path: /admin, methods: [GET], service: a}]"
    doubtful = changed(file, "routes: [{path: /a, service: a}]", routes)
    done = run("check", "-c", doubtful)
    sentence = 'GET /admin needs a key, but other methods of /admin go to the open route "all"'
    assert (done.exit_code, done.stderr) == (0, f"warning: {doubtful}:2: routes[1].methods: {sentence}\n")
    said = json.loads(run("check", "-c", doubtful, "-o", "json").stdout)
    assert said["valid"]
    assert [each["warning"] for each in said["warnings"]] == [sentence]
    assert json.loads(run("check", "-c", file, "-o", "json").stdout)["warnings"] == []


def test_check_looks_at_certificates_too(file: str) -> None:
    listen = "listen: {gateway: [{address: '127.0.0.1:1', tls: [{certificate: no.pem, key: no.pem}]}]}\nservices:"
    done = run("check", "-c", changed(file, "services:", listen))
    assert done.exit_code == 2
    assert "listen.gateway[0].tls[0]: " in done.stderr
    assert "no.pem: No such file" in done.stderr


def test_diff_ends_with_1_when_they_differ_and_0_when_not(file: str) -> None:
    assert run("diff", file, file).exit_code == 0
    done = run("diff", file, changed(file, "9001", "9002"))
    assert done.exit_code == 1
    assert "target http://127.0.0.1:9002 added" in done.stdout
    assert json.loads(run("diff", file, changed(file, "/a,", "/b,"), "-o", "json").stdout)[0]["how"] == "added"


def test_explain_names_route_service_and_policies(file: str) -> None:
    done = run("explain", "GET", "http://h/a/x", "-c", file, "--key", "acme", "-H", "x: y")
    assert done.exit_code == 0
    assert "GET http://h/a/x goes to the service a" in done.stdout
    assert "passes as acme" in done.stdout
    assert KEY not in done.stdout
    found = json.loads(run("explain", "GET", "/a", "-c", file, "-o", "json").stdout)
    assert (found["route"], found["ways"][0]["service"]) == ("/a", "a")


def test_explain_refuses_a_header_that_is_none(file: str) -> None:
    assert run("explain", "GET", "/a", "-c", file, "-H", "nonsense").exit_code == 2


def test_explain_keeps_a_long_list_short(file: str, tmp_path: Path) -> None:
    routes = "".join(f"  - {{path: /r{number}, service: a}}\n" for number in range(50))
    (tmp_path / "many.yaml").write_text("services: {a: {targets: ['http://h']}}\nroutes:\n" + routes)
    lines = run("explain", "GET", "/r7", "-c", str(tmp_path / "many.yaml")).stdout.splitlines()
    assert sum(line.startswith("  not ") for line in lines) == 20
    assert "  nor 29 more (-o json says all)" in lines


def test_reload_without_a_running_foregate_says_so(tmp_path: Path) -> None:
    done = run("reload", "--data-dir", str(tmp_path))
    assert done.exit_code == 3
    assert "no foregate up runs" in done.stderr


def test_schema_and_reference_are_printed() -> None:
    schema = json.loads(run("schema").stdout)
    assert "routes" in schema["properties"]
    assert run("reference").stdout.startswith("# Reference")
