"""The built page and its files."""

from pathlib import Path

import pytest
from tests.control.world import console, world


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    folder = tmp_path / "built"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>the page</title>")
    (folder / "theme.js").write_text("//")
    (folder / "assets" / "index-abc.js").write_text("1")
    (tmp_path / "secret").write_text("not for you")
    return folder


def test_hashed_files_are_kept_for_ever_and_the_page_never(tmp_path: Path, assets: Path) -> None:
    with world(tmp_path) as here, console(here.deps(), assets) as served:
        page = served.ask("/")
        assert page.body == b"<title>the page</title>"
        assert page.headers["cache-control"] == "no-cache"
        hashed = served.ask("/assets/index-abc.js")
        assert "immutable" in hashed.headers["cache-control"]
        assert hashed.headers["content-type"].startswith("text/javascript")
        assert served.ask("/theme.js").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/..%2f..%2fsecret",
        "/..%2fsecret",
        "/%2e%2e/secret",
        "/assets/%2e%2e",
        "/.env",
        "/assets/%00",
        "/nothing",
    ],
)
def test_no_path_leads_out_of_the_folder(tmp_path: Path, assets: Path, path: str) -> None:
    with world(tmp_path) as here, console(here.deps(), assets) as served:
        answer = served.ask(path)
        assert (answer.status, answer.json()["code"]) == (404, "not_found")


def test_a_page_that_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps(), tmp_path / "nowhere") as served:
        answer = served.ask("/")
        assert answer.status == 503
        assert "make web" in answer.body.decode()


def test_wrong_addresses_and_methods_are_problems(tmp_path: Path) -> None:
    with world(tmp_path) as here, console(here.deps()) as served:
        assert served.ask("/api/v1/nothing").json()["code"] == "not_found"
        wrong = served.ask("/api/v1/risks", "DELETE")
        assert (wrong.status, wrong.json()["code"]) == (405, "method_not_allowed")
        assert wrong.headers["allow"] == "GET"
        given = served.ask("/api/v1/nothing", headers={"X-Request-ID": "my-id-1"})
        assert given.json()["request_id"] == given.headers["x-request-id"] == "my-id-1"
        evil = served.ask("/api/v1/nothing", headers={"X-Request-ID": "a b<script>"})
        assert "<" not in evil.headers["x-request-id"]
