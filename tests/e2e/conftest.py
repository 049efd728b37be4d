"""A real Chromium in front of a real console. Where there is none the tests are skipped, and the summary says so."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from tests.control.world import Console
from tests.e2e.story import Story, story

from foregate.control.console.files import ASSETS

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MISSING = "NO CHROMIUM ON THIS MACHINE: the console was not tested in a browser (looked for: " + ", ".join(NAMES) + ")"


def chromium() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if chromium() is None:
        terminalreporter.section("browser")
        terminalreporter.write_line(MISSING, red=True, bold=True)


# Module, not session: while it is open, Playwright's loop runs in this thread and no other test could start one.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip(MISSING)
    if not (ASSETS / "index.html").is_file():
        pytest.fail("the console is not built: run `make web`")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[tuple[Console, Story]]:
    with story(tmp_path_factory.mktemp("story")) as made:
        yield made


@pytest.fixture
def page(browser: Browser, told: tuple[Console, Story]) -> Iterator[Page]:
    """A signed-in page that shows the story live. Fails the test on a script error or a request to anywhere else."""
    served, _ = told
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")
    context.set_default_timeout(15_000)
    opened = context.new_page()
    trouble: list[str] = []
    opened.on("pageerror", lambda error: trouble.append(str(error)))
    opened.on("request", lambda request: None if request.url.startswith(served.url) else trouble.append(request.url))
    opened.on("console", lambda said: trouble.append(said.text) if "Content Security Policy" in said.text else None)
    opened.goto(sign_in_link(served))
    opened.wait_for_selector(".liveness-live")
    yield opened
    context.close()
    assert trouble == []


def sign_in_link(served: Console) -> str:
    link: str = served.ask("/api/v1/login-links", "POST").json()["url"]
    return link
