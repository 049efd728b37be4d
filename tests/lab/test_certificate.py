"""An expired certificate: nobody connects from then on, at once, and all is well when it is renewed."""

from tests.lab.looking import by_minute, first_bad

from foregate.lab import Fault, Scenario
from foregate.lab.faults.board import Board
from foregate.lab.model.world import World


def test_an_expired_certificate_refuses_every_connection_from_one_moment_to_the_next():
    fault = Fault("certificate", "search", 180.0, 120.0)
    minutes = by_minute(Scenario(seed=4, duration_s=420.0, rate=26.0, faults=(fault,)))["/search"]
    assert first_bad(minutes) == 3
    assert not minutes[6].bad
    failed = [event for event in minutes[4].events if event.failed]
    assert len(failed) == len(minutes[4].events)
    assert {event.error for event in failed} == {"upstream_refused", "circuit_open"}
    assert {event.status for event in failed} == {502, 503}


def test_the_process_lives_on_while_its_certificate_is_expired():
    world = World(Scenario(1))
    board = Board(world)
    instance = world.services["users"].instances[0]
    heard = []
    instance.on_change.append(lambda one: heard.append(one.reachable))
    active = board.start(Fault("certificate", "users", 0.0, 60.0), 0.0)
    assert instance.up
    assert not instance.reachable
    board.stop(active.id)
    assert instance.reachable
    assert heard == [False, True]
    assert instance.crashes == 0
