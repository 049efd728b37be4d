"""The store of decisions: what is in force, what is counted against whom, and what an undo forgets."""

import msgspec
from tests.ports.conftest import Adapter

from foregate.ports.verdicts import BLOCKS_MAX
from foregate.wire.decision import AuditLine, Decision
from foregate.wire.verdicts import MANUAL, RolledBack

NOW_S = 1_700_000_000.0


def decision(number: int, subject: str = "ip:192.0.2.1", **changes: object) -> Decision:
    plain = Decision(
        f"blk_{number}", subject, "sweep", "40 paths that are not there", "block", 1, NOW_S, NOW_S, NOW_S + 60.0
    )
    return msgspec.structs.replace(plain, **changes)


def undone(number: int, time_s: float = NOW_S + 1.0) -> AuditLine:
    return AuditLine(time_s, "undo", "ip:192.0.2.1", f"blk_{number}", "cli")


def test_a_block_is_in_force_until_its_end_in_every_handle(adapter: Adapter) -> None:
    store, other = adapter.open_verdicts(), adapter.open_verdicts()
    before = other.version()
    store.put([decision(1)])
    assert other.version() > before
    assert other.verdicts(NOW_S + 59.0).blocks == (decision(1).block,)
    assert other.verdicts(NOW_S + 60.0).blocks == ()
    assert [each.id for each in other.recent(10)] == ["blk_1"]


def test_what_is_only_observed_is_not_told_to_the_workers(adapter: Adapter) -> None:
    store = adapter.open_verdicts()
    store.put([decision(1, effect="observe")])
    assert store.verdicts(NOW_S).blocks == ()
    assert len(store.in_force(NOW_S)) == 1


def test_blocks_of_a_day_are_counted_and_those_by_hand_are_not(adapter: Adapter) -> None:
    store = adapter.open_verdicts()
    for number in range(3):
        made_s = NOW_S + number * 100.0
        store.put([decision(number, made_s=made_s, until_s=made_s + 60.0)])
    store.put([decision(9, rule=MANUAL, made_s=NOW_S + 500.0, until_s=NOW_S + 560.0)])
    assert store.times("ip:192.0.2.1", NOW_S) == 3
    assert store.times("ip:192.0.2.1", NOW_S + 100.0) == 2
    assert store.times("ip:192.0.2.2", NOW_S) == 0


def test_an_undo_ends_it_leaves_the_subject_alone_and_forgets_the_count(adapter: Adapter) -> None:
    store = adapter.open_verdicts()
    store.put([decision(1, made_s=NOW_S - 100.0, until_s=NOW_S - 40.0)])
    store.put([decision(2)])
    ended = store.undo("blk_2", undone(2), NOW_S + 3_600.0)
    assert ended is not None
    assert (ended.ended_s, ended.ended_by) == (NOW_S + 1.0, "cli")
    assert store.verdicts(NOW_S + 2.0).blocks == ()
    assert store.left_alone(NOW_S + 2.0) == {"ip:192.0.2.1": NOW_S + 3_600.0}
    assert store.left_alone(NOW_S + 3_600.0) == {}
    assert store.times("ip:192.0.2.1", NOW_S - 86_400.0) == 0
    assert store.audit(10) == [undone(2)]


def test_what_is_over_or_unknown_cannot_be_undone(adapter: Adapter) -> None:
    store = adapter.open_verdicts()
    store.put([decision(1)])
    assert store.undo("blk_1", undone(1, NOW_S + 61.0), NOW_S + 3_600.0) is None
    assert store.undo("blk_7", undone(7), NOW_S + 3_600.0) is None
    assert store.audit(10) == []


def test_a_new_block_takes_the_place_of_the_one_before(adapter: Adapter) -> None:
    store = adapter.open_verdicts()
    store.put([decision(1)])
    store.put([decision(2, rule=MANUAL, made_s=NOW_S + 1.0, until_s=NOW_S + 9_000.0, by="cli")])
    (block,) = store.verdicts(NOW_S + 2.0).blocks
    assert block.id == "blk_2"
    assert {each.id: each.ended_by for each in store.recent(10)} == {"blk_1": "blk_2", "blk_2": ""}


def test_the_workers_are_told_of_no_more_than_a_bounded_number(adapter: Adapter) -> None:
    assert BLOCKS_MAX <= 10_000
    store = adapter.open_verdicts()
    for number in range(20):
        store.put([decision(number, subject=f"ip:192.0.2.{number}", until_s=NOW_S + 60.0 + number)])
    store.put([decision(99, subject="key:k", rule=MANUAL, until_s=NOW_S + 1.0)])
    assert store.verdicts(NOW_S).blocks[0].subject == "key:k"
    assert store.verdicts(NOW_S).blocks[1].until_s == NOW_S + 79.0


def test_canaries_and_notes_outlive_the_handle(adapter: Adapter) -> None:
    store = adapter.open_verdicts()
    canaries = (RolledBack("/a", "new", None, "it fails"),)
    store.roll_back(canaries)
    store.keep("visitors", b"one")
    store.keep("visitors", b"two")
    other = adapter.open_verdicts()
    assert other.verdicts(NOW_S).canaries == canaries
    assert other.kept("visitors") == b"two"
    assert other.kept("nothing") is None


def test_a_canary_is_rolled_back_once_per_route_until_it_is_resumed(adapter: Adapter) -> None:
    store = adapter.open_verdicts()
    store.roll_back([RolledBack("/a", "new", None, "it fails"), RolledBack("/b", "new", None, "it fails")])
    store.roll_back([RolledBack("/a", "newer", None, "it fails too")])
    before = store.verdicts(NOW_S)
    assert {(each.route, each.service) for each in before.canaries} == {("/a", "newer"), ("/b", "new")}
    line = AuditLine(NOW_S, "resume", "/a", "", "cli")
    resumed = store.resume("/a", line)
    assert resumed is not None
    assert resumed.service == "newer"
    assert store.resume("/a", line) is None
    after = store.verdicts(NOW_S)
    assert [each.route for each in after.canaries] == ["/b"]
    assert after.version > before.version
    assert store.audit(10) == [line]


def test_what_is_old_and_over_is_deleted(adapter: Adapter) -> None:
    store = adapter.open_verdicts()
    store.put([decision(1)], undone(1, NOW_S))
    store.put([decision(2, subject="key:a", until_s=NOW_S + 90_000.0)])
    assert store.expire(NOW_S + 80_000.0) == 2
    assert [each.id for each in store.recent(10)] == ["blk_2"]
    assert store.audit(10) == []
