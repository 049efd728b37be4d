"""From events to findings: everything that is remembered of clients, and the rules asked at the right moments."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from foregate.abuse.client import DENIED, MISSING, SLICE_S, WRONG, Client
from foregate.abuse.crowd import BAD, RATE, Crowd
from foregate.abuse.level import Level
from foregate.abuse.rules import PROBATION_SHARE as ON_PROBATION
from foregate.abuse.rules import RULES, SPREAD_SHARE, Bars, has_turned_bad, is_hot
from foregate.abuse.sketches import HeavyHitters, Uniques
from foregate.abuse.spread import Spread
from foregate.wire.abuse import Abuse
from foregate.wire.event import RequestEvent
from foregate.wire.verdicts import address_subject

CLIENTS_MAX = 50_000  # addresses and keys kept, about 1 KB each; see `Detector._room_for`
WORTH_REQUESTS = 10.0  # of late: with fewer, a newcomer takes nobody's place when the table is full
ADDRESSES_MAX = 100_000  # whose subject is remembered; beyond it all are worked out anew
LATE_SLICES = 30  # events may come late by so much; a clock that was set back by more begins anew
TURNED_BAD_MIN = 10.0  # 4xx in a minute, from which on a known client counts among those that have turned bad
CONFIRM_S = 4.0  # a known client is blamed only after it: perhaps others do the same
BURST_S = 1.0  # a page whose token has expired asks for everything at once, is denied all of it, and signs in
UNBLAMED_S = 120.0  # after answers of 5xx: who then asks more makes up for them
HEAVY_SPAN_S = 300.0
IN_VAIN_MIN = 10.0  # failed sign-ins, from which on one that succeeds is worth a word
_CHANCES = 8  # how many of the oldest clients are looked at for one that is not here any more
_AWAY_SLICES = 30

# What a status says of the client. 429 is another policy's business, 499 and 5xx are not its fault.
_KINDS = {401: DENIED, 403: DENIED, 404: MISSING, 410: MISSING}
_NOBODYS = frozenset({408, 425, 429, 499})


class Finding(NamedTuple):
    """`subject` abuses the gateway by `rule`. `since_s`: when it was first seen doing so, `time_s`: the last time."""

    subject: str
    rule: str
    reason: str
    since_s: float
    time_s: float


class Detector:
    """Time is that of the events; they come about in order. One thread.

    `digest`: of a path or subject, hard to foresee by those who choose paths.
    """

    def __init__(self, settings: Abuse, *, clients_max: int = CLIENTS_MAX, digest: Callable[[str], int] = hash) -> None:
        self._digest = digest
        self._clients_max = clients_max
        self._clients: dict[str, Client] = {}
        self._subjects: dict[str, str] = {}  # by address
        self._held: dict[str, float] = {}  # subject → until; also of clients that are not in the table
        self._trusted: dict[str, float] = {}
        self._suspects: set[Client] = set()
        self._everybody = Level()  # of a client, whichever
        self._time_s = 0.0
        self._hour = 0
        self._heavy_since_s = 0.0
        self.crowd = Crowd()
        self.visitors = Uniques()  # of this hour
        self.visitors_before = Uniques()
        self.addresses, self.keys = HeavyHitters(), HeavyHitters()
        self.events = self.spared = 0
        self.configure(settings)

    def configure(self, settings: Abuse) -> None:
        """Judge by these from now on."""
        self._settings = settings
        self._bars = Bars.of(settings)
        self._bars_after_block = Bars.of(settings, ON_PROBATION)
        self._denied_in_spread = settings.credential_failures * SPREAD_SHARE
        self._least = min(self._bars_after_block[:3])  # with less, no rule sees anything
        self.spread = Spread(settings.deviations)

    def hold(self, subject: str, until_s: float) -> None:
        """It is blocked until then, or would be: what it does meanwhile says nothing new."""
        self._held[subject] = until_s
        client = self._clients.get(subject)
        if client is not None:
            client.held_until_s = until_s
            client.forget()

    def release(self, subject: str, trusted_until_s: float) -> None:
        """An operator says that it may: not blamed until then, and what it does is learnt as usual."""
        self._held.pop(subject, None)
        self._trusted[subject] = trusted_until_s
        client = self._clients.get(subject)
        if client is not None:
            client.held_until_s, client.trusted_until_s = 0.0, trusted_until_s
            client.forget()

    @property
    def clients(self) -> int:
        """How many are in the table."""
        return len(self._clients)

    # --- the events ------------------------------------------------------------------------------------------

    def add(self, events: Sequence[RequestEvent]) -> list[Finding]:
        """Who has become a suspect by these events."""
        if not events:
            return []
        self._tidy(events[-1].time_s)
        addresses: Counter[str] = Counter()
        keys: Counter[str] = Counter()
        for event in events:
            slice_ = int(event.time_s / SLICE_S)
            address, key = event.client, event.key_id
            if address:
                subject = self._subjects.get(address) or self._subject_of(address)
                addresses[subject] += 1
                if event.error != "blocked":
                    client = self._clients.get(subject) or self._met(subject, slice_, event.time_s)
                    if client is not None:
                        self._count(client, event, slice_, not key)
            if key:
                keys[key] += 1
                if event.error != "blocked":
                    subject = "key:" + key
                    client = self._clients.get(subject) or self._met(subject, slice_, event.time_s)
                    if client is not None:
                        self._count(client, event, slice_, True)
        self.events += len(events)
        self.addresses.add(addresses)
        self.keys.add(keys)
        self.visitors.add(addresses)
        self.crowd.at(int(self._time_s / SLICE_S))
        suspects, self._suspects = self._suspects, set()
        return [found for client in suspects if (found := self._judge(client)) is not None]

    def _count(self, client: Client, event: RequestEvent, slice_: int, own: bool) -> None:
        if slice_ > client.slice:
            self._end_slice(client, slice_)
        elif slice_ < client.slice - LATE_SLICES:
            client.slice = slice_
        time_s, status = event.time_s, event.status
        if time_s < client.held_until_s:
            return
        client.last_s = time_s
        if status >= 500 or status in _NOBODYS:
            if status >= 500 and not client.hot:  # not before: else a flood would excuse itself by what it breaks
                client.spared_until_s = time_s + UNBLAMED_S
            return
        client.requests += 1.0
        client.asked += 1
        client.own += own
        path = event.path
        if (own or status >= 400) and path[-1:].isdecimal() and path.isascii() and client.counted_up(path):
            client.sequential += 1.0
            if client.sequential >= self._least:
                self._suspects.add(client)
        if status < 400:
            client.good += 1.0
            client.served += 1
            if client.denied > IN_VAIN_MIN and event.route == client.denied_route:
                client.won += 1.0
            self.spread.good(event.route, slice_)
            return
        self._wrong(client, event, slice_)

    def _wrong(self, client: Client, event: RequestEvent, slice_: int) -> None:
        kind = _KINDS.get(event.status, WRONG)
        if client.bad < 1.0:
            client.bad_since_s = event.time_s
        client.failed_at(self._digest(event.path))
        if kind == DENIED:
            client.denied += 1.0
            client.denied_route = event.route
            self.spread.denied(event.route, self._digest(client.subject), slice_)
        elif kind == MISSING:
            client.missing += 1.0
        else:
            client.wrong += 1.0
        if client.bad >= self._least or client.denied >= self._denied_in_spread:
            self._suspects.add(client)

    def _end_slice(self, client: Client, slice_: int) -> None:
        """Judge and learn the slice that is over, and whatever lies between it and `slice_`."""
        level, time_s = client.level, client.last_s
        if time_s < client.held_until_s:
            client.slice = slice_
            return
        bars, asked = self._bars_of(client), float(client.asked)
        if client.known and asked:
            self.crowd.note(client.subject, asked, level.mean)
        client.hot_bad = client.hot_bad + 1 if has_turned_bad(client, bars) else 0
        if client.hot_bad and client.bad >= TURNED_BAD_MIN:
            self.crowd.trip(client.subject, BAD, time_s)  # long before anybody is blamed for it
        trusted = time_s < client.trusted_until_s
        if not trusted and is_hot(client, bars, self.crowd.growth, self._everybody):
            client.hot += 1
            self._suspects.add(client)
        else:
            client.hot = 0
            client.calm()
        if asked:
            self._everybody.learn_clipped(asked, bars.deviations)
        if level.mature and not trusted:
            level.learn_clipped(asked, bars.deviations)
        else:
            level.learn(asked)
        if slice_ - client.slice > 1:
            client.hot = client.hot_bad = 0
            level.rest(slice_ - client.slice - 1)
        client.go_on(slice_)

    # --- judging ---------------------------------------------------------------------------------------------

    def _bars_of(self, client: Client) -> Bars:
        return self._bars_after_block if client.held_until_s and client.on_probation(client.last_s) else self._bars

    def _judge(self, client: Client) -> Finding | None:
        time_s = client.last_s
        if time_s < client.trusted_until_s:
            return None
        bars = self._bars_of(client)
        if client.good < 1.0 and client.denied_route and self.spread.is_attacked(client.denied_route):
            bars = bars._replace(denied=min(bars.denied, self._denied_in_spread))
        for rule, sees in RULES.items():
            reason = sees(client, bars)
            if reason:
                return None if self._is_excused(client, rule, time_s) else self._blame(client, rule, reason)
        client.suspect_s = 0.0
        return None

    def _is_excused(self, client: Client, rule: str, time_s: float) -> bool:
        """Whether others do the same, or may turn out to; or we have made it do so."""
        if rule == "rate" and time_s < client.spared_until_s:
            self.spared += 1
            return True
        if rule != "rate" and time_s - client.bad_since_s < BURST_S:
            return True
        way = RATE if rule == "rate" else BAD
        if client.known:
            self.crowd.trip(client.subject, way, time_s)
        if self.crowd.is_everybody(way):
            self.spared += 1
            return True
        client.suspect_s = client.suspect_s or time_s
        return client.known and time_s - client.suspect_s < CONFIRM_S

    def _blame(self, client: Client, rule: str, reason: str) -> Finding:
        since_s = max(client.first_s, client.last_s - client.hot * SLICE_S) if rule == "rate" else client.suspect_s
        return Finding(client.subject, rule, reason, since_s, client.last_s)

    # --- the table -------------------------------------------------------------------------------------------

    def _subject_of(self, address: str) -> str:
        if len(self._subjects) >= ADDRESSES_MAX:
            self._subjects.clear()
        found = self._subjects[address] = address_subject(address) or "ip:"
        return found

    def _met(self, subject: str, slice_: int, time_s: float) -> Client | None:
        """A client that is not in the table; None when there is no room for it."""
        if subject == "ip:" or (len(self._clients) >= self._clients_max and not self._room_for(subject)):
            return None
        client = self._clients[subject] = Client(subject, slice_, time_s)
        client.held_until_s = self._held.get(subject, 0.0)
        client.trusted_until_s = self._trusted.get(subject, 0.0)
        return client

    def _room_for(self, subject: str) -> bool:
        """Forget somebody for a newcomer, if it has asked often enough for that: the count-min sketch knows.

        Whoever is not here any more goes first; of those that are, the one that came first. So a million addresses
        that ask once each push nobody out.
        """
        heavy = self.keys if subject.startswith("key:") else self.addresses
        if heavy.estimate(subject.removeprefix("key:")) < WORTH_REQUESTS:
            return False
        now = int(self._time_s / SLICE_S)
        for _ in range(_CHANCES):
            name = next(iter(self._clients))
            client = self._clients.pop(name)
            if now - client.slice > _AWAY_SLICES:
                return True
            self._clients[name] = client  # a second chance, at the end of the row
        del self._clients[next(iter(self._clients))]
        return True

    def _tidy(self, time_s: float) -> None:
        """What happens now and then."""
        if time_s < self._time_s - LATE_SLICES * SLICE_S:  # the clock was set back
            self._heavy_since_s = time_s
        elif time_s < self._time_s:
            return
        self._time_s = time_s
        if time_s - self._heavy_since_s >= HEAVY_SPAN_S:
            self._heavy_since_s = time_s
            self.addresses.turn()
            self.keys.turn()
            self._held = _still(self._held, time_s - 3_600.0)
            self._trusted = _still(self._trusted, time_s)
        hour = int(time_s // 3_600)
        if hour != self._hour:
            before = self.visitors if hour == self._hour + 1 else Uniques()
            self._hour, self.visitors_before, self.visitors = hour, before, Uniques()

    @property
    def hour(self) -> int:
        """Whose `visitors` are counted: hours since the epoch."""
        return self._hour

    def resume(self, hour: int, visitors: bytes, before: bytes) -> None:
        """Take up the count of visitors that an earlier detector has left."""
        self._hour, self.visitors, self.visitors_before = hour, Uniques(visitors), Uniques(before)


def _still(times: dict[str, float], now_s: float) -> dict[str, float]:
    return {subject: until_s for subject, until_s in times.items() if until_s > now_s}
