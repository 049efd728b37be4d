"""A policy that is installed beside foregate judges requests in every worker, also when it comes by a reload."""

import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.harness import Foregate, foregate, upstream
from tests.process.test_reload import config, rewrite, status_at, wait_for

WORKERS = 2
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "extensions.md"


def ask(running: Foregate, drink: str) -> int:
    request = urllib.request.Request(f"{running.gateway}/a", headers={"X-Drink": drink})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the package of the guide is installed."""
    site = tmp_path_factory.mktemp("site")
    metadata = site / "teapot-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "teapot.py").write_text(GUIDE.read_text().split("```python\n", 1)[1].split("```", 1)[0])
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: teapot\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[foregate.policies]\nteapot = teapot:Teapot\n")
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", path)
        yield site


@pytest.fixture(scope="module")
def running(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foregate]:
    policies = "{extensions: [{name: teapot, settings: {drinks: [coffee]}}]}"
    with upstream() as url:
        services = (
            f"services: {{a: {{targets: ['{url}']}}}}\n"
            f"routes: [{{path: /a, service: a, auth: none, policies: {policies}}}, {{path: /, service: a, auth: none}}]"
        )
        with foregate(tmp_path_factory.mktemp("up"), services, workers=WORKERS) as made:
            yield made


def test_the_policy_of_the_guide_judges_in_every_worker(running: Foregate) -> None:
    assert [ask(running, "coffee") for _ in range(6)] == [403] * 6
    assert [ask(running, "tea") for _ in range(6)] == [200] * 6

    rewrite(running, lambda text: text.replace("[coffee]", "[tea]"))
    wait_for(lambda: ask(running, "tea") == 403)
    wait_for(lambda: bool(config(running)["settled"]))
    assert [ask(running, "coffee") for _ in range(6)] == [200] * 6

    rewrite(running, lambda text: text.replace("teapot", "teapod"))
    wait_for(lambda: config(running)["last_attempt"]["outcome"] == "refused")
    assert "installed: teapot" in config(running)["last_attempt"]["problems"][0]
    assert [ask(running, "tea") for _ in range(6)] == [403] * 6

    rewrite(running, lambda text: text.replace("teapod", "teapot").replace("[tea]", "[coffee]"))
    assert running.api("/config/reload", {})["settled"] is True


def test_a_worker_that_starts_without_the_module_shuts_what_it_guards_and_serves_the_rest(
    running: Foregate, site: Path
) -> None:
    assert [ask(running, "tea") for _ in range(6)] == [200] * 6
    (site / "teapot.py").rename(site / "away")
    shutil.rmtree(site / "__pycache__", ignore_errors=True)
    for worker in range(WORKERS):
        name = f"gateway-{worker}"
        running.wait_until_back(name, running.kill(name))
    assert [ask(running, drink) for drink in ("tea", "coffee") * 3] == [500] * 6
    assert [status_at(running, "/free") for _ in range(6)] == [200] * 6
    assert "extension_missing" in running.log.read_text()
    assert running.api("/config/reload", {})["settled"] is False

    (site / "away").rename(site / "teapot.py")
    assert running.api("/config/reload", {})["settled"] is True
    assert [ask(running, drink) for drink in ("tea", "coffee") * 3] == [200, 403] * 3
