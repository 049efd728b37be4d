"""Attacks in virtual time, well-behaved clients beside them: who is blocked, how soon, how long, and who never is."""

from random import Random

import pytest
from bench.attacks import (
    ATTACKS_S,
    START_S,
    UNTIL_S,
    Actor,
    Ask,
    Outcome,
    attacks,
    replay,
    spread_stuffing,
    well_behaved,
)

from foregate.abuse.crowd import Crowd
from foregate.wire.abuse import Abuse

BLOCKING = Abuse(mode="block")
SOON_S = {"stuffing": 5.0, "sweep": 6.0, "enumeration": 9.0, "enumeration-by-key": 6.0, "scraping": 12.0}


@pytest.fixture(scope="module")
def everything() -> Outcome:
    """A flash crowd, an outage with the rush after it, a broken release, then one attack of each kind."""
    return replay([*well_behaved(Random(5)), *attacks()], UNTIL_S, BLOCKING, seed=1)


def test_no_well_behaved_client_is_blocked_while_attackers_are(everything: Outcome) -> None:
    assert everything.blocked(bad=False) == []
    assert {actor.name for actor in everything.blocked(bad=True)} == set(SOON_S)
    assert min(decision.made_s for decision in everything.decisions) > START_S + ATTACKS_S


@pytest.mark.parametrize("name", SOON_S)
def test_an_attack_is_blocked_within_seconds(everything: Outcome, name: str) -> None:
    actor = next(actor for actor in everything.actors if actor.name == name)
    assert actor.first_refused_s is not None
    assert actor.first_refused_s - ATTACKS_S < SOON_S[name]
    assert actor.refused / actor.sent > 0.9


def test_a_block_ends_when_it_says_and_is_longer_when_the_attack_goes_on(everything: Outcome) -> None:
    actor = next(actor for actor in everything.actors if actor.name == "stuffing")
    first, second = (each for each in everything.decisions if each.subject == "ip:100.64.0.1")
    assert (first.times, second.times) == (1, 2)
    assert (first.until_s - first.made_s, second.until_s - second.made_s) == (60.0, 240.0)
    let_in = [at_s for at_s in actor.refusals if first.until_s - START_S <= at_s < second.made_s - START_S]
    assert let_in == []  # it was let in again, and had to show anew what it is
    assert 0.0 < second.made_s - first.until_s < 4.0


def test_every_decision_gives_its_reason_with_the_numbers(everything: Outcome) -> None:
    for decision in everything.decisions:
        assert any(digit in decision.reason for digit in "123456789"), decision
        assert decision.since_s <= decision.made_s
    said = {decision.subject: decision.reason for decision in everything.decisions[::-1]}
    assert "401, 403" in said["ip:100.64.0.1"]
    assert "404" in said["ip:100.64.0.2"]
    assert "/orders/" in said["ip:100.64.0.3"]


EXCUSES = {"growth": property(lambda _: 1.0), "is_everybody": lambda *_: False}


@pytest.mark.parametrize(
    ("without", "blocked"), [(["is_everybody"], {"app"}), (["is_everybody", "growth"], {"app", "heavy"})]
)
def test_without_its_excuses_a_crowd_would_be_blocked(
    without: list[str], blocked: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the replay would prove nothing of them."""
    for name in without:
        monkeypatch.setattr(Crowd, name, EXCUSES[name])
    outcome = replay(well_behaved(Random(5), 60, 10), ATTACKS_S, BLOCKING, seed=1)
    assert {actor.name.partition("-")[0] for actor in outcome.blocked(bad=False)} == blocked


def test_another_chance_gives_the_same_verdict_on_who_is_who() -> None:
    for seed in (2, 3):
        outcome = replay([*well_behaved(Random(seed)), *attacks(400.0)], 480.0, BLOCKING, seed)
        assert outcome.blocked(bad=False) == []
        assert len(outcome.blocked(bad=True)) == len(SOON_S)


def test_observing_finds_the_same_and_refuses_nobody() -> None:
    outcome = replay([*well_behaved(Random(5), 20, 5), *attacks(150.0)], 200.0, Abuse(mode="observe"))
    assert {each.effect for each in outcome.decisions} == {"observe"}
    assert {each.rule for each in outcome.decisions} == {"credential_stuffing", "sweep", "enumeration", "rate"}
    assert outcome.blocked(bad=True) == outcome.blocked(bad=False) == []


def test_sign_ins_from_everywhere_are_blocked_one_by_one() -> None:
    outcome = replay([*well_behaved(Random(5), 60, 10), *spread_stuffing(100, 0.6, 200.0)], 290.0, BLOCKING)
    assert outcome.blocked(bad=False) == []
    assert len(outcome.blocked(bad=True)) >= 95
    late = [actor.first_refused_s for actor in outcome.blocked(bad=True) if actor.first_refused_s is not None]
    assert sorted(late)[len(late) // 2] - 200.0 < 30.0


def test_low_and_slow_is_not_seen() -> None:
    """The limit of what counts in a minute can see, and docs/explanations/abuse.md says so."""
    outcome = replay([*well_behaved(Random(5), 60, 10), *spread_stuffing(60, 1 / 30, 150.0)], 300.0, BLOCKING)
    assert outcome.decisions == []


@pytest.mark.parametrize("status", [500, 503, 429])
def test_what_is_not_their_fault_blocks_nobody(status: int) -> None:
    """Everybody tries again as fast as can be, alone or together."""

    def retrying(_: Random, at_s: float) -> Ask:
        return Ask("/a/1", 200 if at_s < 150.0 else status, "/a")

    clients = [Actor(f"c{n}", f"192.0.2.{n}", lambda t: 2.0 if t < 150.0 else 80.0, retrying) for n in range(3)]
    assert replay(clients, 180.0, BLOCKING).decisions == []


@pytest.mark.parametrize("outage", [True, False])
def test_who_makes_up_for_our_failures_is_not_blocked_and_who_just_asks_more_is(outage: bool) -> None:
    """One client alone, so that no crowd excuses it."""

    def asks(_: Random, at_s: float) -> Ask:
        return Ask("/jobs", 503 if outage and 180.0 <= at_s < 200.0 else 200, "/jobs", "k")

    client = Actor("k", "192.0.2.1", lambda t: 80.0 if 200.0 <= t < 240.0 else 3.0, asks)
    assert bool(replay([client], 260.0, BLOCKING).decisions) != outage


def test_an_office_behind_one_address_is_not_blocked_for_one_of_its_people() -> None:
    office = Actor("office", "192.0.2.1", lambda _: 30.0, lambda r, _: Ask("/p", 200, "/p"))
    bad = Actor("bad", "192.0.2.1", lambda _: 10.0, lambda r, _: Ask("/login", 401, "/login"), begins_s=150.0)
    assert replay([office, bad], 240.0, BLOCKING).decisions == []


def test_a_key_of_an_application_is_not_blocked_for_one_of_its_users() -> None:
    users = [
        Actor(f"user-{n}", f"192.0.2.{n}", lambda _: 0.5, lambda r, _: Ask("/p", 200, "/p", "mobile"))
        for n in range(1, 60)
    ]
    bad = Actor("bad", "203.0.113.9", lambda _: 15.0, lambda r, _: Ask("/login", 401, "/login", "mobile"), True, 150.0)
    outcome = replay([*users, bad], 240.0, BLOCKING)
    assert {decision.subject for decision in outcome.decisions} == {"ip:203.0.113.9"}


def test_a_key_that_is_stolen_and_used_a_hundred_times_more_is_blocked() -> None:
    others = well_behaved(Random(5), 20, 10)
    stolen = Actor(
        "k", "192.0.2.200", lambda t: 1.0 if t < 200.0 else 120.0, lambda r, _: Ask("/p", 200, "/p", "k"), True
    )
    outcome = replay([*others, stolen], 230.0, BLOCKING)
    assert {decision.subject for decision in outcome.decisions} == {"key:k"}
    assert stolen.first_refused_s is not None
    assert stolen.first_refused_s - 200.0 < 15.0


@pytest.mark.parametrize(("status", "said"), [(422, "4xx"), (404, "404")])
def test_a_known_client_that_turns_wrong_and_asks_far_more_is_blocked(status: int, said: str) -> None:
    """By the share of its errors alone: the same path again and again is neither a sweep nor a sign-in."""
    others = well_behaved(Random(5), 20, 10)

    def asks(_: Random, at_s: float) -> Ask:
        return Ask("/form", 200 if at_s < 200.0 else status, "/form")

    turned = Actor("turned", "203.0.113.77", lambda t: 1.0 if t < 200.0 else 15.0, asks, True)
    outcome = replay([*others, turned], 240.0, BLOCKING)
    assert {(each.subject, each.rule) for each in outcome.decisions} == {("ip:203.0.113.77", "errors")}
    assert said in outcome.decisions[0].reason
    assert "standard deviations" in outcome.decisions[0].reason
    assert turned.first_refused_s is not None
    assert turned.first_refused_s - 200.0 < 20.0


def test_a_known_client_that_goes_on_as_ever_and_is_wrong_all_at_once_is_left_alone() -> None:
    """Its key was revoked, or its page is gone."""
    others = well_behaved(Random(5), 20, 10)

    def asks(_: Random, at_s: float) -> Ask:
        return Ask("/form", 200 if at_s < 200.0 else 401, "/form")

    assert replay([*others, Actor("broken", "203.0.113.77", lambda _: 10.0, asks)], 300.0, BLOCKING).decisions == []
