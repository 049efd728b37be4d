"""Attacks and well-behaved clients in virtual time: what detection sees of them, and what its blocks do to them.

Seeded: the same seed gives the same requests, except where a block or an outage makes a client do otherwise.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import exp
from random import Random
from typing import NamedTuple
from zlib import crc32

from foregate.abuse import Detector, decide
from foregate.wire.abuse import Abuse
from foregate.wire.decision import Decision
from foregate.wire.event import RequestEvent
from foregate.wire.verdicts import address_subject

START_S = 1_700_000_000.0
STEP_S = 0.5  # how often detection is given events
DELAY_S = 0.7  # from a request's end to detection (spool, bus), and from a decision to the workers


class Ask(NamedTuple):
    """What a client asks, and what the upstream would say."""

    path: str
    status: int
    route: str
    key: str = ""


@dataclass
class Actor:
    """One client: `asks(rng, t)` is its request at `t` seconds after the start; `rate(t)` per second, 0: silent."""

    name: str
    address: str
    rate: Callable[[float], float]
    asks: Callable[[Random, float], Ask]
    bad: bool = False
    begins_s: float = 0.0
    steady: bool = False  # in step, not by chance
    sent: int = 0
    refused: int = 0
    first_refused_s: float | None = None
    refusals: list[float] = field(default_factory=list)


@dataclass
class Outcome:
    """`blocks` are the decisions in their order; `findings_in_observation` those that would have been."""

    actors: Sequence[Actor]
    decisions: list[Decision]
    events: int
    detector: Detector

    def of(self, name: str) -> list[Actor]:
        """The actors whose name begins so."""
        return [actor for actor in self.actors if actor.name.startswith(name)]

    def blocked(self, bad: bool) -> list[Actor]:
        """Those of one kind that were refused anything."""
        return [actor for actor in self.actors if actor.bad == bad and actor.refused]


def digest(text: str) -> int:
    """Stable from run to run, unlike Python's own."""
    return crc32(text.encode())


def times(actor: Actor, rng: Random, until_s: float) -> Iterator[float]:
    """When it asks: by chance (Poisson, thinned to the rate of the moment), or in step."""
    at_s = actor.begins_s + (0.0 if actor.bad else rng.random())
    while at_s < until_s:
        rate = actor.rate(at_s)
        if rate <= 0.0:
            at_s += 1.0
            continue
        at_s += 1.0 / rate if actor.steady else rng.expovariate(rate)
        yield at_s


def replay(actors: Sequence[Actor], until_s: float, settings: Abuse, seed: int = 1) -> Outcome:
    """Let all of them ask for so long. A block is in force `DELAY_S` after the decision, on address and key."""
    rng = Random(seed)
    detector = Detector(settings, digest=digest)
    ids = count()
    sources = [(times(actor, Random(rng.random()), until_s), Random(rng.random()), actor) for actor in actors]
    queue = [(next(source, until_s), index) for index, (source, _, _) in enumerate(sources)]
    heapq.heapify(queue)
    held: dict[str, tuple[float, float]] = {}  # subject → from, until
    done: dict[str, int] = {}
    decisions: list[Decision] = []
    waiting: list[tuple[float, list[RequestEvent]]] = []
    total, step_s, batch = 0, STEP_S, []
    while queue and queue[0][0] < until_s:
        at_s, index = queue[0]
        while at_s >= step_s:
            waiting.append((step_s + DELAY_S, batch))
            batch = []
            while waiting and waiting[0][0] <= step_s:
                for finding in detector.add(waiting.pop(0)[1]):
                    now_s = START_S + step_s
                    subject = finding.subject
                    if held.get(subject, (0.0, 0.0))[1] > now_s:
                        continue
                    made = decide(finding, settings, done.get(subject, 0), now_s, lambda kind: f"{kind}_{next(ids)}")
                    if made is not None:
                        done[subject] = made.times
                        decisions.append(made)
                        detector.hold(subject, made.until_s)
                        if made.effect == "block":
                            held[subject] = now_s + DELAY_S, made.until_s
            step_s += STEP_S
        source, chance, actor = sources[index]
        heapq.heapreplace(queue, (next(source, until_s), index))
        ask = actor.asks(chance, at_s)
        batch.append(_event(actor, ask, START_S + at_s, held))
        total += 1
    return Outcome(actors, decisions, total, detector)


def _event(actor: Actor, ask: Ask, time_s: float, held: dict[str, tuple[float, float]]) -> RequestEvent:
    actor.sent += 1
    refused = held and any(
        (span := held.get(subject)) is not None and span[0] <= time_s < span[1]
        for subject in (address_subject(actor.address), f"key:{ask.key}")
    )
    if refused:
        actor.refused += 1
        actor.first_refused_s = time_s - START_S if actor.first_refused_s is None else actor.first_refused_s
        actor.refusals.append(time_s - START_S)
    return event(
        time_s,
        actor.address,
        ask.path,
        403 if refused else ask.status,
        ask.route,
        ask.key,
        "blocked" if refused else "",
    )


def event(
    time_s: float, client: str, path: str, status: int, route: str = "/", key: str = "", error: str = ""
) -> RequestEvent:
    """A finished request, as detection sees it."""
    return RequestEvent(
        time_s, "o", "s", route, "GET", status, 5.0, 4.0, 0, 100, key, "test", "r", "t", "s", 1, "none", "closed",
        "none", error, "http://x", 1, 4.0, "", client, path,
    )  # fmt: skip


# --- who asks ----------------------------------------------------------------------------------------------------

FLASH_S = (300.0, 360.0)  # everybody comes at once
OUTAGE_S = (450.0, 500.0)  # the services answer 503; whoever may, tries again
RUSH_S = (500.0, 530.0)  # and makes up for it afterwards
RELEASE_S = (620.0, 660.0)  # links of the pages are broken
ATTACKS_S = 780.0
UNTIL_S = 1_000.0


def crowd(at_s: float) -> float:
    """How many times more than usual everybody asks."""
    if FLASH_S[0] <= at_s < FLASH_S[1]:
        return 6.0
    return 3.0 if OUTAGE_S[0] <= at_s < OUTAGE_S[1] else 5.0 if RUSH_S[0] <= at_s < RUSH_S[1] else 1.0


def _during_outage(at_s: float, ask: Ask) -> Ask:
    return ask._replace(status=503) if OUTAGE_S[0] <= at_s < OUTAGE_S[1] else ask


def well_behaved(rng: Random, visitors: int = 120, keys: int = 30) -> list[Actor]:
    """Visitors without a key, clients with one, and those that look worse than they are."""
    found = [_visitor(f"visitor-{n}", f"198.51.{100 + n // 250}.{n % 250 + 1}") for n in range(visitors)]
    for n in range(keys):
        usual = exp(rng.gauss(0.0, 1.0))
        found.append(_keyed(f"client-{n}", f"192.0.2.{n + 1}", f"k{n}", usual))
    found += [_keyed(f"heavy-{n}", f"192.0.2.{100 + n}", f"h{n}", 12.0) for n in range(8)]
    found += [_app(f"app-{n}", f"192.0.2.{120 + n}") for n in range(visitors // 12 + 2)]
    ids = count(1)

    def batch(_: Random, at_s: float) -> Ask:
        return _during_outage(at_s, Ask(f"/orders/{next(ids)}", 200, "/orders", "batch"))

    def expired(_: Random, at_s: float) -> Ask:
        return Ask("/orders", 200, "/orders", "old") if at_s < 560.0 else Ask("/orders", 401, "/orders")

    def crawl(chance: Random, _: float) -> Ask:
        return Ask(f"/p/{chance.getrandbits(30):x}", 404 if chance.random() < 0.06 else 200, "/p")

    return [
        *found,
        Actor("batch", "203.0.113.1", lambda t: 80.0 * min(crowd(t), 2.0), batch, steady=True),
        Actor("poller", "203.0.113.2", lambda _: 1.0, lambda _, t: Ask("/jobs/77", 404, "/jobs", "poll"), steady=True),
        Actor("expired", "203.0.113.3", lambda _: 2.0, expired),
        Actor("office", "203.0.113.4", lambda t: 12.0 * crowd(t), _visit),
        Actor("crawler", "203.0.113.5", lambda _: 1.5, crawl),
    ]


def _app(name: str, address: str) -> Actor:
    """Tries what the release has broken six times as often, and finds nothing."""

    def broken(at_s: float) -> bool:
        return RELEASE_S[0] <= at_s < RELEASE_S[1]

    def asks(rng: Random, at_s: float) -> Ask:
        return _during_outage(at_s, Ask(f"/app/{rng.randrange(500):x}.js", 404 if broken(at_s) else 200, "/app"))

    return Actor(name, address, lambda t: 12.0 if broken(t) else 2.0, asks)


def _visit(rng: Random, at_s: float) -> Ask:
    chance = rng.random()
    if chance < 0.02:
        return Ask("/login", 401 if rng.random() < 0.15 else 200, "/login")
    missing = chance > (0.65 if RELEASE_S[0] <= at_s < RELEASE_S[1] else 0.985)
    return _during_outage(at_s, Ask(f"/p/{rng.randrange(2_000):x}.js", 404 if missing else 200, "/p"))


def _visitor(name: str, address: str) -> Actor:
    """A page with its parts every so often: quick for two seconds, then silent."""
    phase = crc32(name.encode()) % 20
    return Actor(name, address, lambda t: (6.0 if (t + phase) % 20 < 2.0 else 0.05) * crowd(t), _visit)


def _keyed(name: str, address: str, key: str, usual: float) -> Actor:
    def asks(rng: Random, at_s: float) -> Ask:
        wrong = rng.random() < 0.01
        return _during_outage(at_s, Ask(f"/orders/{rng.randrange(10_000)}", 404 if wrong else 200, "/orders", key))

    return Actor(name, address, lambda t: usual * crowd(t), asks)


def attacks(begins_s: float = ATTACKS_S) -> list[Actor]:
    """One of each kind, from addresses of their own."""

    def bad(name: str, address: str, per_s: float, asks: Callable[[Random, float], Ask]) -> Actor:
        return Actor(name, address, lambda _: per_s, asks, bad=True, begins_s=begins_s, steady=True)

    ids, more_ids = count(1), count(1)

    def login(rng: Random, _: float) -> Ask:
        return Ask("/login", 200 if rng.random() < 0.01 else 401, "/login")

    def numbers(rng: Random, _: float) -> Ask:
        return Ask(f"/orders/{next(ids)}", 200 if rng.random() < 0.6 else 404, "/public")

    def others(rng: Random, _: float) -> Ask:
        return Ask(f"/orders/{next(more_ids)}", 200 if rng.random() < 0.3 else 403, "/orders", "stolen")

    return [
        bad("stuffing", "100.64.0.1", 20.0, login),
        bad("sweep", "100.64.0.2", 15.0, lambda r, _: Ask(f"/{r.getrandbits(40):x}.php", 404, "")),
        bad("enumeration", "100.64.0.3", 20.0, numbers),
        bad("enumeration-by-key", "100.64.0.4", 20.0, others),
        bad("scraping", "2001:db8:bad::7", 100.0, lambda r, _: Ask(f"/p/{r.randrange(10**9):x}.html", 200, "/p")),
    ]


def spread_stuffing(addresses: int, per_s_each: float, begins_s: float = ATTACKS_S) -> list[Actor]:
    """Sign-ins from many addresses, each of which tries but now and then."""
    return [
        Actor(
            f"spread-{n}", f"100.{65 + n // 250}.0.{n % 250 + 1}", lambda _: per_s_each,
            lambda _, __: Ask("/login", 401, "/login"), bad=True, begins_s=begins_s,
        )
        for n in range(addresses)
    ]  # fmt: skip
