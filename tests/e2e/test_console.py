"""The console in a real browser, over a running story of traffic, risk and alerts."""

import gzip
import re
import time
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.control.world import Console, console, entity, make_event, world
from tests.e2e.conftest import sign_in_link
from tests.e2e.story import MODEL, Story

from foregate.adapters.embedded.models import EmbeddedModels
from foregate.app.models.desk import ModelDesk
from foregate.control.console.files import ASSETS
from foregate.kernel.clock import SystemClock
from foregate.wire.models import InForce
from foregate.wire.risk import HorizonScore, Risk

pytestmark = pytest.mark.browser
AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
FIRST_LOAD_BYTES_MAX = 120_000
Told = tuple[Console, Story]


def violations(page: Page) -> list[str]:
    """What axe finds wrong with the page as it stands, WCAG 2 A and AA."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']})")
    return [f"{v['id']}: {n['target']} {n['failureSummary']}" for v in found["violations"] for n in v["nodes"]]


def test_signing_in_by_link_leads_to_charts_that_move(page: Page) -> None:
    assert page.url.endswith("/")
    expect(page.locator(".tile", has_text="Requests")).to_contain_text("per second")
    chart = page.locator(".chart-plot").first
    expect(chart).to_have_attribute("aria-label", re.compile("ai /ai"), timeout=15_000)
    before = chart.screenshot()
    rows = page.locator("tbody tr").first.get_attribute("title")
    page.wait_for_function("title => document.querySelector('tbody tr').title !== title", arg=rows)
    deadline = time.monotonic() + 15
    while chart.screenshot() == before:
        assert time.monotonic() < deadline, "the chart stands still"
        page.wait_for_timeout(500)


def test_what_will_fail_next_comes_first_with_probability_reasons_and_shares(page: Page) -> None:
    first = page.locator(".risk").first
    expect(first).to_contain_text("payments /payments")
    expect(first).to_contain_text("likely to fail")
    expect(first).to_contain_text("its usual 116 ms")
    expect(first.locator(".score-value")).to_contain_text("%")
    first.get_by_role("button", name="Show what the score").click()
    expect(first.locator(".contributions li")).to_have_count(3)
    expect(page.locator(".risk", has_text="users /users")).to_contain_text("learning · 1 of 2 min")
    expect(page.locator(".risk", has_text="orders /orders")).to_contain_text("no traffic")


def test_an_alert_appears_with_its_reasons_without_a_reload(page: Page, told: Told) -> None:
    _, teller = told
    expect(page.locator(".tile", has_text="Open alerts")).to_contain_text("0")
    teller.here.findings.put_alerts([teller.alert(3, time.time() - 5, "pending")])
    card = page.locator(".story-pending").first
    expect(card).to_contain_text("payments /payments is likely to fail within 15 minutes")
    expect(card).to_contain_text("9 requests are in flight at once, usually 4")
    expect(page.locator(".tile", has_text="Open alerts")).to_contain_text("1")
    assert page.title() == "(1) foregate"
    expect(page.locator(".story-failed").first).to_contain_text("Raised 6 min 12 s before the first failing minute")
    expect(page.locator(".story-no_failure").first).to_contain_text("no failure followed")


def test_a_fault_is_switched_on_by_hand_and_off_again(page: Page) -> None:
    page.locator(".fault-kinds label", has_text="Crash").click()
    expect(page.locator(".fault-about")).to_contain_text("hardly foreseeable")
    page.get_by_label("Service to break").select_option("ai")
    page.get_by_role("button", name="Start crash in ai").click()
    active = page.locator(".faults-active li")
    expect(active).to_contain_text("Crash in ai")
    active.get_by_role("button", name="Switch off Crash in ai").click()
    expect(active).to_have_count(0)


def test_the_theme_is_toggled_and_kept(page: Page) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Switch to the dark theme").click()
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    page.wait_for_selector(".liveness-live")
    assert page.evaluate(background) == dark
    expect(page.get_by_role("button", name="Switch to the light theme")).to_be_visible()


def test_the_view_lives_in_the_url(page: Page) -> None:
    page.get_by_role("button", name="last 5 minutes").click()
    page.get_by_label("Route in the charts").select_option("payments /payments")
    page.get_by_label("Failed only").check()
    assert "range=5m" in page.url
    assert "requests=failed" in page.url
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector(".liveness-live")
    expect(other.get_by_label("Route in the charts")).to_have_value("payments /payments")
    expect(other.get_by_role("button", name="last 5 minutes")).to_have_attribute("aria-pressed", "true")
    expect(other.locator(".chart", has_text="p50, p95, p99").locator(".legend li")).to_have_count(3)
    expect(other.get_by_label("Failed only")).to_be_checked()
    page.go_back()
    expect(page.get_by_label("Failed only")).not_to_be_checked()


def test_all_can_be_done_by_keyboard(page: Page) -> None:
    expect(page.locator(".risk-route").first).to_be_visible()  # else Tab goes by what is not there yet
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    expect(page.locator(".risk-route").first).to_be_focused()
    page.keyboard.press("Enter")
    assert "route=payments" in page.url
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator(".contributions")).to_be_visible()
    kinds = page.locator(".fault-kinds label")
    expect(kinds.first).to_have_class("chosen")
    kinds.first.locator("input").focus()
    page.keyboard.press("ArrowDown")
    expect(kinds.nth(1)).to_have_class("chosen")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_axe_finds_nothing(page: Page, theme: str, width: int) -> None:
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    page.get_by_role("button", name="Show what the score").first.click()
    assert violations(page) == []


@pytest.mark.parametrize("width", [360, 768, 1024, 1920])
def test_nothing_sticks_out_at_any_width(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_sign_in_form_takes_the_token_and_is_accessible(browser: Browser, told: Told) -> None:
    served, _ = told
    context = browser.new_context()
    page = context.new_page()
    page.goto(served.url)
    assert page.url.endswith("/login")
    assert violations(page) == []
    page.get_by_label("Console token").fill("not the token")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not the token")
    page.get_by_label("Console token").fill("a-console-token-of-a-test")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector(".liveness-live")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    page.goto(served.url)
    assert page.url.endswith("/login")
    context.close()


def test_an_empty_console_says_what_to_type(browser: Browser, tmp_path: Path) -> None:
    with world(tmp_path, SystemClock()) as here, console(here.deps()) as served:
        context = browser.new_context()
        page = context.new_page()
        page.goto(sign_in_link(served))
        expect(page.locator(".panel-onboarding")).to_contain_text("curl -i http://127.0.0.1:8080/ai")
        assert violations(page) == []
        here.feed([make_event(Random(1), "ai", time.time(), 5.0)])
        expect(page.locator(".panel-onboarding")).to_have_count(0)
        context.close()


def test_a_lost_console_and_a_silent_predictor_are_shown_and_the_page_comes_back(
    browser: Browser, tmp_path: Path
) -> None:
    with world(tmp_path, SystemClock()) as here:
        here.findings.put_risks([Risk(time.time() - 300, entity("ai"), "scored", 0.2, 900, MODEL, 15.0, 2.0)])
        context = browser.new_context()
        page = context.new_page()
        with console(here.deps()) as served:
            page.goto(sign_in_link(served))
            expect(page.locator(".liveness")).to_contain_text("scores are stale")
            expect(page.locator(".risk").first).to_contain_text("stale · 5 min ago")
        expect(page.locator(".liveness-lost")).to_contain_text("Connection lost", timeout=10_000)
        here.findings.put_risks([Risk(time.time(), entity("ai"), "scored", 0.37, 900, MODEL, 15.0, 2.0)])
        with console(here.deps(), port=served.port):
            expect(page.locator(".liveness-live")).to_have_text("Live", timeout=20_000)
            expect(page.locator(".score-value").first).to_contain_text("37")
        context.close()


def opened(browser: Browser, served: Console) -> Page:
    page = browser.new_context().new_page()
    page.goto(sign_in_link(served))
    return page


def test_where_no_model_could_be_loaded_the_page_says_why_and_draws_no_threshold(
    browser: Browser, tmp_path: Path
) -> None:
    why = "model.fgm is damaged: train it anew with `foregate predict train`"
    registry = EmbeddedModels(tmp_path / "models")
    others = InForce("shop", "f1-bundled", time.time(), "its own model is damaged")
    registry.put_in_force([InForce("demo", "off", time.time()), others])
    with world(tmp_path, SystemClock()) as here:
        here.feed([make_event(Random(1), "ai", time.time(), 5.0)])
        here.findings.put_risks([Risk(time.time(), entity("ai"), "learning", None, 900, "off", 15.0, 2.0)])
        with console(here.deps(models=ModelDesk(registry, SystemClock()))) as served:
            page = opened(browser, served)
            expect(page.locator(".panel-risks")).to_contain_text("nothing is predicted")
            registry.put_in_force([InForce("demo", "off", time.time(), why), others])  # after the page first asked
            expect(page.locator(".panel-risks .trouble")).to_have_text(why, timeout=20_000)
            expect(page.locator(".panel-charts")).not_to_contain_text("alert above")
            assert violations(page) == []
            page.context.close()


def test_the_threshold_in_the_chart_is_the_one_that_false_alarms_moved(browser: Browser, tmp_path: Path) -> None:
    def risk(name: str, threshold: float, ago_s: float = 0.0) -> Risk:
        horizons = (HorizonScore(900, 0.2, threshold),)
        return Risk(time.time() - ago_s, entity(name), "scored", 0.2, 900, MODEL, 15.0, 2.0, horizons=horizons)

    with world(tmp_path, SystemClock()) as here, console(here.deps()) as served:
        here.feed([make_event(Random(1), name, time.time(), 5.0) for name in ("ai", "search")])
        page = opened(browser, served)
        chart = page.locator(".panel-charts")
        expect(chart).to_contain_text("alert above 80 %")
        here.findings.put_risks([risk("ai", 0.07), risk("search", 0.3, ago_s=300)])
        expect(chart).to_contain_text("alert above 7.0 %")
        failing = Risk(time.time(), entity("search"), "failing", None, 900, MODEL, 15.0, 2.0)
        here.findings.put_risks([risk("ai", 0.06), failing])
        expect(chart).to_contain_text("alert above 6.0 %")
        here.findings.put_risks([Risk(time.time(), entity("search"), "learning", None, 900, "off", 15.0, 2.0)])
        page.get_by_role("button", name="search /search", exact=True).click()
        expect(chart).to_contain_text("alert above 6.0 %")  # one organisation has lost its model, the others have not
        page.get_by_role("button", name="search /search", exact=True).click()
        here.findings.put_risks([risk("ai", 0.06), risk("search", 0.3)])
        expect(chart).not_to_contain_text("alert above")
        page.context.close()


def test_the_first_load_is_small(browser: Browser) -> None:
    files = [path for path in ASSETS.rglob("*") if path.is_file()]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) <= FIRST_LOAD_BYTES_MAX
