"""Blocks in a real browser: who is blocked and why, and letting them in again."""

import time
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.control.world import console, world
from tests.e2e.conftest import sign_in_link

from foregate.adapters.embedded.verdicts import EmbeddedVerdicts
from foregate.app.block_desk import BlockDesk
from foregate.app.paths import DataDir
from foregate.app.verdicts import published
from foregate.kernel.clock import SystemClock
from foregate.wire.abuse import Abuse
from foregate.wire.decision import Decision, Effect

pytestmark = pytest.mark.browser


def decision(number: int, effect: Effect, now_s: float) -> Decision:
    reason = f"{number}9 of its 60 requests in a minute were for what is not there (404)"
    subject = f"ip:192.0.2.{number}"
    return Decision(f"blk_{number}", subject, "sweep", reason, effect, number, now_s, now_s, now_s + 600.0)


def test_a_block_is_shown_with_its_reason_and_undone_by_a_click(tmp_path: Path, browser: Browser) -> None:
    data, clock = DataDir(tmp_path), SystemClock()
    with world(tmp_path, clock) as here, closing(EmbeddedVerdicts(data.abuse)) as store:
        store.put([decision(1, "observe", time.time()), decision(3, "block", time.time())])
        deps = here.deps(blocks=BlockDesk(data, store, clock, Abuse))
        with console(deps) as served, closing(browser.new_context()) as context:
            page = context.new_page()
            page.goto(sign_in_link(served))
            panel = page.get_by_role("region", name="Blocked")
            expect(panel).to_contain_text("192.0.2.3")
            expect(panel).to_contain_text("39 of its 60 requests in a minute were for what is not there (404)")
            expect(panel).to_contain_text("3 times within a day")
            expect(panel.get_by_role("listitem").filter(has_text="192.0.2.1")).to_contain_text("would be for")
            panel.get_by_role("button", name="Let ip:192.0.2.3 in again").click()
            expect(panel).not_to_contain_text("192.0.2.3")
            assert published(data).blocks == ()
            assert [line.decision_id for line in store.audit(5)] == ["blk_3"]
            panel.get_by_role("button", name="Let ip:192.0.2.1 in again").click()
            expect(panel).to_have_count(0)
