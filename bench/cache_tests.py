"""`cache-tests`: the public suite for HTTP caches, run against a worker: more than 141 of its required tests.

The suite is the npm package `http-cache-tests`, installed into bench/out when it is not there (needs npm, once). It is
run twice: with a cache as it is by default (but public: the suite's clients are nobody), and with what is off by
default allowed (cookies stored, stale answers instead of errors). `--write` makes the page
docs/explanations/cache-conformance.md of what was found.
"""

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.gateway import service, start_workers
from bench.process import OUT, Missing, free_port, start, tool
from bench.report import Goal, Outcome, finish, say
from foregate.wire.cache import Cache
from foregate.wire.match import Rule
from foregate.wire.policies import CircuitBreaker, Policies, Retry
from foregate.wire.snapshot import Route, Weighted

PACKAGE, VERSION = "http-cache-tests", "0.4.5"
REQUIRED_MIN = 142
PAGE = Path(__file__).parent.parent / "docs" / "explanations" / "cache-conformance.md"
SETTINGS = {
    "by default": Cache(share="public"),
    "all allowed": Cache(share="public", store_cookies=True, stale_if_error_s=60.0),
}
_LIST = """\
import tests from './tests/index.mjs'
import surrogate from './tests/surrogate-control.mjs'
const all = []
for (const suite of [...tests, surrogate]) {
  for (const test of suite.tests) {
    if (test.browser_only) continue
    const depends = test.depends_on || []
    all.push({ id: test.id, kind: test.kind || 'required', suite: suite.name, name: test.name, depends })
  }
}
console.log(JSON.stringify(all))
"""
_STALE = (
    "Allowed. The service hangs up; the client gets our 502, which says no number of the service's, and the test takes "
    "that for a stored answer. No proxy among the published results passes it; `test_stale.py` proves the point."
)
_FRAMING = (
    "Chosen. The service sends 36 bytes and says 10: an answer that contradicts its own framing is passed on as far as "
    "it is one, and never stored."
)
_COOKIE = "Chosen. Answers with Set-Cookie are not stored unless `store_cookies` is set; then it passes."
WHY = {
    "age-parse-prefix": "Chosen. `Age: 0,7200` is no age: the answer counts as stale. Taking the first member is "
    "allowed too (RFC 9111 section 5.1), but the sender is a cache that we do not understand.",
    "stale-close-must-revalidate": _STALE,
    "stale-close-proxy-revalidate": _STALE,
    "stale-close-no-cache": _STALE,
    "stale-close-s-maxage=2": _STALE,
    "headers-store-Content-Length": _FRAMING,
    "304-etag-update-response-Content-Length": _FRAMING,
    "headers-store-Set-Cookie": _COOKIE,
    "304-etag-update-response-Set-Cookie": _COOKIE,
    "headers-store-Transfer-Encoding": "Chosen. The service names a transfer coding that there is not: 502, for where "
    "such a message ends is anybody's guess (RFC 9112 section 6.1).",
    "method-POST": "Chosen. Answers to POST are never stored.",
    "vary-normalise-lang-order": "Chosen. The order of languages is kept: many services go by it.",
    "vary-normalise-lang-select": "Chosen. A variant is chosen by what was sent, not by what it would mean.",
    "conditional-lm-fresh-no-lm": "Chosen. The answer is newer than the client's date, so the client gets it.",
    "other-set-cookie": _COOKIE,
}
_PARTIAL = "Chosen. Parts (206) are not stored; ranges are served from whole answers."
WHY_SUITE = {"Combining Partial Content": _PARTIAL}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench cache-tests", description=__doc__)
    parser.add_argument("--write", action="store_true", help="the page in docs/explanations")
    given = parser.parse_args(argv)
    outcome = Outcome()
    try:
        suite = installed()
        tests = listed(suite)
        found = {name: run(suite, settings) for name, settings in SETTINGS.items()}
    except Missing as missing:
        return finish("cache-tests", Outcome(skipped={"cache-tests": str(missing)}, invalid=["nothing was tested"]))
    for name, results in found.items():
        counts = counted(tests, results)
        said = ", ".join(f"{passed} of {of} {kind}" for kind, (passed, of) in counts.items())
        print(f"{name}: {said}")
        outcome.facts[name] = {"counts": counts, "results": results}
        outcome.goals.append(Goal(f"required tests passed, {name}", counts["required"][0], least=REQUIRED_MIN))
    for test in missed(tests, found["by default"], "required"):
        print(f"  missed: {test['id']}: {why(test)}")
        if not why(test):
            outcome.invalid.append(f"{test['id']} is missed, and nobody has said why")
    if given.write:
        PAGE.write_text(page(tests, found))
        say(f"wrote {PAGE.name}")
    return finish("cache-tests", outcome)


def installed() -> Path:
    """Where the suite is. Raises Missing."""
    folder = OUT / "cache-tests"
    suite = folder / "node_modules" / PACKAGE
    tool("node")
    if not suite.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        argv = [tool("npm"), "install", "--prefix", str(folder), "--no-audit", "--no-fund", f"{PACKAGE}@{VERSION}"]
        if subprocess.run(argv, capture_output=True).returncode:
            raise Missing(f"{PACKAGE} could not be installed")
    return suite


def listed(suite: Path) -> list[dict[str, Any]]:
    """The tests that are for proxies."""
    argv = [tool("node"), "--no-warnings", "--input-type=module", "-e", _LIST]
    done = subprocess.run(argv, cwd=suite, check=True, capture_output=True, text=True)
    tests: list[dict[str, Any]] = json.loads(done.stdout)
    return tests


def run(suite: Path, settings: Cache) -> dict[str, Any]:
    """What became of each test: true, or [kind of failure, sentence]."""
    node = tool("node")
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as temporary:
        folder, port, origin_port = Path(temporary), free_port(), free_port()
        env = {**os.environ, "npm_config_protocol": "http", "npm_config_port": str(origin_port)}
        env |= {"npm_config_pidfile": str(folder / "pid"), "npm_package_config_id": ""}
        env["npm_config_base"] = f"http://127.0.0.1:{port}"
        script = folder / "server.mjs"
        script.write_text(
            f"process.chdir({json.dumps(str(suite))})\nawait import({json.dumps(str(suite / _SERVER))})\n"
        )
        origin = start("origin", [node, "--no-warnings", str(script)], origin_port, folder, env=env)
        # It hangs up and fails on purpose: nobody shall learn from that to leave it alone.
        patient = Policies(circuit_breaker=CircuitBreaker(failures=10_000), retry=Retry(attempts=0))
        policies = Policies(cache=settings)
        routes = [Route("/", Rule(path="/"), services=(Weighted("origin"),), auth=(), policies=policies)]
        gateway = start_workers(folder, port, [service("origin", [origin_port], policies=patient)], routes)
        try:
            argv = [node, "--no-warnings", "cli.mjs"]
            done = subprocess.run(argv, cwd=suite, env=env, check=True, capture_output=True, text=True, timeout=300)
            results: dict[str, Any] = json.loads(done.stdout)
            return results
        finally:
            gateway.stop()
            origin.stop()


_SERVER = Path("server") / "server.mjs"


def counted(tests: list[dict[str, Any]], results: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """(passed, all) of each kind."""
    kinds = ("required", "optimal", "check")
    return {
        kind: (
            sum(results.get(test["id"]) is True for test in tests if test["kind"] == kind),
            sum(test["kind"] == kind for test in tests),
        )
        for kind in kinds
    }


def missed(tests: list[dict[str, Any]], results: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    return [test for test in tests if test["kind"] == kind and results.get(test["id"]) is not True]


def why(test: Mapping[str, Any]) -> str:
    return WHY.get(test["id"]) or WHY_SUITE.get(test["suite"], "")


def page(tests: list[dict[str, Any]], found: Mapping[str, Mapping[str, Any]]) -> str:
    """The page, as Markdown."""
    plain = found["by default"]
    rows = "\n".join(
        f"| {name} | " + " | ".join(f"{passed} of {of}" for passed, of in counted(tests, results).values()) + " |"
        for name, results in found.items()
    )
    return _PAGE.format(
        package=PACKAGE,
        version=VERSION,
        rows=rows,
        required=_table(missed(tests, plain, "required")),
        optimal=_table(missed(tests, plain, "optimal")),
        checks="\n".join(_checks(tests, plain)),
    )


def _table(tests: list[dict[str, Any]]) -> str:
    lines = ["| test | why |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{test['id']}` | {why(test)} |" for test in tests)])


def _checks(tests: list[dict[str, Any]], results: Mapping[str, Any]) -> list[str]:
    lines = ["| question | answer |", "|---|---|"]
    for test in tests:
        if test["kind"] == "check":
            question = test["name"].replace("|", "\\|").strip()
            lines.append(f"| {question} | {'yes' if results.get(test['id']) is True else 'no'} |")
    return lines


_PAGE = """\
# How the cache does in the public suite

`python -m bench cache-tests --write` runs the suite `{package}` {version} against a worker and makes this page of
what it finds. *Required* tests are what RFC 9111 and its kin demand, *optimal* ones what a cache may do to be of more
use, *checks* have no right answer. "By default" is a route with `cache: {{share: public}}`; "all allowed" has
`store_cookies` and `stale_if_error_s` as well, which are off unless they are set.

| | required | optimal | check |
|---|---|---|---|
{rows}

## Required tests that are missed by default
{required}

## Optimal ones
{optimal}

## Checks, by default
A doubtful lifetime counts as none, a doubtful date as past: so the many "no" below.

{checks}
"""
