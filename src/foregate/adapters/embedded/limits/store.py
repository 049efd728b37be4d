"""Limits of one machine (`foregate.ports.limits`): decided from what all workers have written, without a lock.

A worker reads every worker's cells, decides, and writes only its own. When little is left (`BRIM`) it then reads again:
who finds more used than there was takes its own back and tries anew. So a race at the brim admits nobody too many. With
more left than that a worker that is put to sleep between reading and writing may come to write when all is used up:
one request too many per other worker at most, which is within 1 % of any limit that large.

What is in the file survives kill -9 (the page cache outlives the process) and restarts. Power loss costs what changed
since the last `sync()`: call it every few seconds from a thread.
"""

from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

from foregate.adapters.embedded.limits.rules import compiled, merged, outlives_s
from foregate.adapters.embedded.limits.rules.algorithm import SLACK, Algorithm
from foregate.adapters.embedded.limits.rules.concurrency import Slots, given_back
from foregate.adapters.embedded.limits.table import CELLS, GENERATION, Shape, Table, open_table
from foregate.ports.limits import Charge, Concurrency, LimitStats, Moment, Rule, Taken, fingerprint

CAPACITY = 131_072  # subjects of all limits together: 8 MB of file with two workers, 16 bytes more for each further one
KNOWN_MAX = 32_768  # subjects a worker finds without hashing (10 MB); at the bound it forgets the older half
RULES_MAX = 4_096  # likewise for rules

BRIM = 100.0  # requests left, per other worker: from here on a worker looks again after it has written
TRIES_MAX = 4  # at a brim that several workers race for
RACE_RETRY_S = 0.001

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class _Entry:
    """Where a subject's cells are, as this worker remembers it."""

    __slots__ = ("cells_at", "decide", "generation", "place", "renew_s", "rule")

    def __init__(self, rule: Rule, algorithm: Algorithm, place: int, generation: float) -> None:
        self.rule = rule
        self.decide = algorithm.decide
        self.place = place
        self.cells_at = (place + CELLS) * 8  # in bytes
        self.generation = generation
        self.renew_s = 0.0  # by the monotonic clock: from then on `expires_s` must be looked after


class EmbeddedLimits:
    """One worker's handle. Not for several threads at once; `sync` is."""

    def __init__(self, table: Table, worker: int) -> None:
        self._table = table
        self._words = table.words
        self._map = table.map
        self._read = table.read
        self._ahead_s = table.ahead_s
        self._own = 2 * worker
        self._own_at = CELLS + 2 * worker
        self._brim = BRIM * (table.shape.workers - 1)
        self._known: dict[bytes, _Entry] = {}
        self._older: dict[bytes, _Entry] = {}  # what was known when `_known` was last full; looked at before the table
        self._algorithms: dict[Rule, Algorithm] = {}

    def take_one(self, rule: Rule, subject: bytes, now_s: float, wall_s: float, cost: float = 1.0) -> Taken:
        """One charge."""
        entry = self._entry(rule, subject, now_s)
        cells = self._read(self._map, entry.cells_at)
        allowed, wait_s, left, reset_s, a, b = entry.decide(cells, self._own, now_s, wall_s, cost)
        if allowed:
            words, at = self._words, entry.place + self._own_at
            words[at] = a
            words[at + 1] = b
            if left < self._brim * cost and self._raced(entry, left, now_s, wall_s):
                self._take_back(entry, cells)
                return self._insist([Charge(rule, subject, cost)], now_s, wall_s)
        if left < 0.0:
            left = 0.0
        if allowed:
            return Taken(True, wait_s, 0.0, -1, (left,), (reset_s,))
        return Taken(False, 0.0, wait_s, 0, (left,), (reset_s,))

    def take(self, charges: Sequence[Charge], now_s: float, wall_s: float) -> Taken:
        """All or nothing."""
        if len(charges) == 1:
            rule, subject, cost = charges[0]
            return self.take_one(rule, subject, now_s, wall_s, cost)
        return self._try(charges, now_s, wall_s) or self._insist(charges, now_s, wall_s)

    def _insist(self, charges: Sequence[Charge], now_s: float, wall_s: float) -> Taken:
        """Try again after a race at the brim; whoever loses every race is refused."""
        for _ in range(TRIES_MAX):
            taken = self._try(charges, now_s, wall_s)
            if taken is not None:
                return taken
        lost = tuple([0.0] * len(charges))
        return Taken(False, 0.0, RACE_RETRY_S, 0, lost, lost)

    def _try(self, charges: Sequence[Charge], now_s: float, wall_s: float) -> Taken | None:
        """None when another worker took the same meanwhile; nothing is used then."""
        own, own_at, brim, words = self._own, self._own_at, self._brim, self._words
        read, mapped, known = self._read, self._map, self._known
        steps: list[tuple[_Entry, tuple[float, ...], float, float]] = []
        near: list[tuple[_Entry, float]] = []  # at the brim: to be looked at again
        remaining: list[float] = []
        reset: list[float] = []
        by, delay_s, retry_after_s = -1, 0.0, 0.0  # the longest wait counts; a refusal is that of the last to give way
        for rule, subject, cost in charges:
            entry = known.get(subject)
            if (  # `_entry`, without the call
                entry is None
                or entry.rule is not rule
                or words[entry.place + GENERATION] != entry.generation
                or now_s > entry.renew_s
            ):
                entry = self._entry(rule, subject, now_s)
                known = self._known
            cells = read(mapped, entry.cells_at)
            allowed, wait_s, left, reset_s, a, b = entry.decide(cells, own, now_s, wall_s, cost)
            if not allowed:
                if by < 0 or wait_s > retry_after_s:
                    by, retry_after_s = len(remaining), wait_s
            elif wait_s > delay_s:
                delay_s = wait_s
            if left < brim * cost:
                near.append((entry, left))
            if left < 0.0:
                left = 0.0
            steps.append((entry, cells, a, b))
            remaining.append(left)
            reset.append(reset_s)
        if by >= 0:
            return Taken(False, 0.0, retry_after_s, by, tuple(remaining), tuple(reset))
        for entry, _, a, b in steps:
            at = entry.place + own_at
            words[at] = a
            words[at + 1] = b
        if near and any(self._raced(entry, left, now_s, wall_s) for entry, left in near):
            for entry, cells, _, _ in steps:
                self._take_back(entry, cells)
            return None
        return Taken(True, delay_s, 0.0, -1, tuple(remaining), tuple(reset))

    def release(self, charges: Sequence[Charge]) -> None:
        """Give slots back; an entry that was evicted meanwhile has nothing to be given."""
        for charge in charges:
            if type(charge.rule) is Concurrency and (entry := self._held(charge)) is not None:
                at = entry.place + self._own_at
                self._words[at] = given_back(self._words[at], charge.cost)

    def settle(self, charges: Sequence[Charge], used: Sequence[float], taken: Moment, now: Moment) -> None:
        """To an entry that was evicted meanwhile nothing is given back; what is missing is taken of its successor."""
        for charge, amount in zip(charges, used, strict=True):
            if amount > charge.cost:
                entry = self._entry(charge.rule, charge.subject, now.now_s)
            elif amount == charge.cost or (held := self._held(charge)) is None:
                continue
            else:
                entry = held
            algorithm = self._algorithm(charge.rule)
            cells = self._read(self._map, entry.cells_at)
            pair = algorithm.settled(cells, self._own, taken, now, charge.cost, amount)
            if pair is not None:
                at = entry.place + self._own_at
                self._words[at], self._words[at + 1] = pair

    def stats(self) -> LimitStats:
        """Of the whole table, all workers together."""
        entries, evicted = self._table.counts()
        return LimitStats(entries, self._table.shape.capacity, evicted)

    def sync(self) -> None:
        """Write to the disk what has changed; may take a second, so call it from a thread."""
        self._table.sync()

    def close(self) -> None:
        """Let go of the table; the numbers stay in the file."""
        self._known.clear()
        self._older.clear()
        self._table.close()

    def _raced(self, entry: _Entry, left: float, now_s: float, wall_s: float) -> bool:
        """Whether more is used, now that it is written, than there was when `left` was found."""
        cells = self._read(self._map, entry.cells_at)
        return entry.decide(cells, self._own, now_s, wall_s, 0.0)[2] < min(left, 0.0) - SLACK

    def _take_back(self, entry: _Entry, cells: tuple[float, ...]) -> None:
        """Write the own pair as it was."""
        words, at, own = self._words, entry.place + self._own_at, self._own
        words[at] = cells[own]
        words[at + 1] = cells[own + 1]

    def _entry(self, rule: Rule, subject: bytes, now_s: float) -> _Entry:
        entry = self._known.get(subject)
        if entry is None and (entry := self._older.pop(subject, None)) is not None:
            self._remember(subject, entry)
        if (
            entry is None
            or (entry.rule is not rule and entry.rule != rule)
            or self._words[entry.place + GENERATION] != entry.generation
            or now_s > entry.renew_s
        ):
            return self._meet(rule, subject, now_s)
        return entry

    def _meet(self, rule: Rule, subject: bytes, now_s: float) -> _Entry:
        """Find or claim the entry of a subject, and see that it lives on."""
        algorithm = self._algorithm(rule)
        name, lifetime_s = entry_name(rule, subject), algorithm.lifetime_s
        time_s = now_s + self._ahead_s
        found = self._table.find(name, time_s)
        if found is None:
            found = self._table.claim(name, algorithm.kind, time_s, time_s + 2.0 * lifetime_s)
        elif self._table.expires_s(found[0]) < time_s + lifetime_s:
            self._table.extend(found[0], time_s + 2.0 * lifetime_s)
        entry = _Entry(rule, algorithm, *found)
        entry.renew_s = self._table.expires_s(found[0]) - lifetime_s - self._ahead_s
        self._remember(subject, entry)
        return entry

    def _algorithm(self, rule: Rule) -> Algorithm:
        algorithm = self._algorithms.get(rule)
        if algorithm is None:
            if len(self._algorithms) >= RULES_MAX:
                self._algorithms.clear()
            algorithm = self._algorithms[rule] = compiled(rule)
        return algorithm

    def _remember(self, subject: bytes, entry: _Entry) -> None:
        if len(self._known) >= KNOWN_MAX // 2:
            self._older, self._known = self._known, {}
        self._known[subject] = entry

    def _held(self, charge: Charge) -> _Entry | None:
        """The entry that was charged, even of a rule that a reload has replaced meanwhile."""
        entry = self._known.get(charge.subject)
        if entry is None or (entry.rule is not charge.rule and entry.rule != charge.rule):
            found = self._table.find(entry_name(charge.rule, charge.subject), 0.0)
            return None if found is None else _Entry(charge.rule, compiled(charge.rule), *found)
        return entry if self._table.generation(entry.place) == entry.generation else None


def boot_id() -> bytes:
    """The run of the machine, in 16 bytes; zeros where the kernel does not say."""
    return bytes.fromhex(_BOOT_ID.read_text().strip().replace("-", "")) if _BOOT_ID.exists() else bytes(16)


def entry_name(rule: Rule, subject: bytes) -> bytes:
    """An entry's fingerprint: of the subject, and of the limit that it belongs to."""
    return fingerprint(rule, subject)[:12] + crc32(subject.partition(b"\0")[0]).to_bytes(4, "little")


def open_limits(
    path: Path,
    workers: int,
    worker: int,
    *,
    now_s: float = 0.0,
    wall_s: float = 0.0,
    capacity: int = CAPACITY,
    boot: bytes | None = None,
) -> EmbeddedLimits:
    """Open the limits as worker `worker` of `workers`; its predecessor's slots are free from now on.

    `now_s` and `wall_s` are the monotonic clock and Unix time, both now.

    Two processes must not be the same worker at the same time. Raises OSError when the file cannot be had. What
    has expired is not carried over into a file of another shape. `boot` names the run of the machine (16
    bytes); by default the kernel's boot id. `capacity` must be a power of two, else ValueError.
    """
    if not 0 <= worker < workers:
        raise ValueError(f"worker {worker} of {workers}")
    shape = Shape(workers, capacity, boot_id() if boot is None else boot)
    table = open_table(path, shape, now_s, wall_s, merged, outlives_s)
    table.clear(Slots.kind, worker)
    return EmbeddedLimits(table, worker)
