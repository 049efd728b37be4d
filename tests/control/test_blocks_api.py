"""/blocks and /abuse on the real store: what is listed, made by hand, refused, undone, and told to the workers."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.control.world import NOW_S, Console, console, world

from foregate.adapters.embedded.verdicts import EmbeddedVerdicts
from foregate.app.block_desk import BlockDesk
from foregate.app.paths import DataDir
from foregate.app.verdicts import published
from foregate.wire.abuse import Abuse
from foregate.wire.abuse_overview import AbuseOverview, Asking, encode_overview
from foregate.wire.decision import Decision

SETTINGS = Abuse(mode="block", allow_networks=("10.0.0.0/8",), allow_keys=("good",))
FOUND = Decision(
    "blk_found",
    "ip:192.0.2.1",
    "sweep",
    "40 paths that are not there",
    "block",
    2,
    NOW_S - 9.0,
    NOW_S - 5.0,
    NOW_S + 240.0,
)


class Served:
    def __init__(self, store: EmbeddedVerdicts, data: DataDir, asked: Console) -> None:
        self.store, self.data, self.console = store, data, asked

    def post(self, body: str) -> Any:
        return self.console.ask(
            "/api/v1/blocks", "POST", headers={"Content-Type": "application/json"}, body=body.encode()
        )


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Served]:
    data = DataDir(tmp_path)
    with world(tmp_path) as made, closing(EmbeddedVerdicts(data.abuse)) as store:
        desk = BlockDesk(data, store, made.clock, lambda: SETTINGS)
        with console(made.deps(blocks=desk)) as asked:
            yield Served(store, data, asked)


def test_blocks_are_listed_with_their_reason(here: Served) -> None:
    here.store.put([FOUND])
    (block,) = here.console.get("/blocks")["blocks"]
    assert (block["id"], block["subject"], block["rule"], block["times"]) == ("blk_found", "ip:192.0.2.1", "sweep", 2)
    assert (block["reason"], block["effect"], block["in_force"]) == ("40 paths that are not there", "block", True)
    assert block["ended_s"] is None


def test_a_block_by_hand_reaches_the_workers_and_the_audit(here: Served) -> None:
    answer = here.post('{"subject": "2001:db8::7", "for_s": 60, "note": "asked for"}')
    assert answer.status == 201
    made = answer.json()
    assert (made["subject"], made["rule"], made["by"], made["reason"]) == (
        "ip:2001:db8::/64",
        "manual",
        "console",
        "asked for",
    )
    (block,) = published(here.data).blocks
    assert (block.id, block.until_s) == (made["id"], NOW_S + 60.0)
    (line,) = here.console.get("/blocks")["audit"]
    assert (line["action"], line["block_id"], line["by"], line["note"]) == ("block", made["id"], "console", "asked for")


@pytest.mark.parametrize(("subject", "why"), [("10.1.2.3", "10.1.2.3"), ("key:good", "key:good")])
def test_who_is_allowed_cannot_be_blocked_by_hand(here: Served, subject: str, why: str) -> None:
    answer = here.post(f'{{"subject": "{subject}"}}')
    assert (answer.status, answer.json()["code"]) == (409, "conflict")
    assert answer.json()["detail"] == f"The block was not made: {why} is on the allow list, which always wins."
    assert here.console.get("/blocks") == {"now_s": NOW_S, "blocks": [], "audit": []}


@pytest.mark.parametrize(
    "body",
    [
        '{"subject": "10.0.0.0/8"}', '{"subject": "somebody"}', '{"subject": "key:"}', '{"subject": ""}',
        '{"subject": "192.0.2.1", "for_s": 0}', '{"subject": "192.0.2.1", "for_s": 1e12}',
        '{"subject": "192.0.2.1", "until": 5}', '{}', "no json", '{"subject": "ip:999.1.1.1"}',
    ],
)  # fmt: skip
def test_what_is_no_subject_or_no_time_is_refused(here: Served, body: str) -> None:
    answer = here.post(body)
    assert (answer.status, answer.json()["code"]) == (400, "invalid_parameter")
    assert here.store.recent(10) == []


def test_an_undo_is_told_to_the_workers_once(here: Served) -> None:
    here.store.put([FOUND])
    before = here.store.verdicts(NOW_S).version
    answer = here.console.ask("/api/v1/blocks/blk_found", "DELETE")
    assert answer.status == 200
    assert (answer.json()["ended_by"], answer.json()["in_force"]) == ("console", False)
    verdicts = published(here.data)
    assert verdicts.blocks == ()
    assert verdicts.version > before
    again = here.console.ask("/api/v1/blocks/blk_found", "DELETE")
    assert (again.status, again.json()["code"]) == (404, "not_found")
    assert here.store.left_alone(NOW_S) == {"ip:192.0.2.1": NOW_S + SETTINGS.leave_alone_s}
    assert here.console.get("/blocks")["blocks"] == []
    assert [each["id"] for each in here.console.get("/blocks?ended=true")["blocks"]] == ["blk_found"]


def test_what_detection_sees_is_said_when_it_has_seen_something(here: Served) -> None:
    assert here.console.get("/abuse", 404)["code"] == "not_found"
    asking = (Asking("ip:192.0.2.1", 900),)
    overview = AbuseOverview(NOW_S, "block", 1_000, 0, 7, 5, 9, 0.023, asking, (), 0.4, 1.0, 2)
    here.store.keep("overview", encode_overview(overview))
    found = here.console.get("/abuse")
    assert (found["visitors"], found["visitors_before"], found["visitors_error"]) == (5, 9, 0.023)
    assert found["top_addresses"] == [{"subject": "ip:192.0.2.1", "requests": 900}]


def test_without_a_gateway_beside_it_there_is_nothing_to_say(tmp_path: Path) -> None:
    with world(tmp_path) as made, console(made.deps()) as asked:
        assert asked.get("/blocks", 404)["code"] == "not_found"
