"""What is remembered of one client (an address or a key): what it did of late, and what is usual for it."""

from math import exp, log

from foregate.abuse.level import Level

SLICE_S = 2.0  # rates are counted and judged in slices of so long
MINUTE_S = 60.0  # "of late": counts fade with this time constant, so a steady rate shows what it is in a minute
MINUTE_SLICES = int(MINUTE_S / SLICE_S)
PROBATION_S = 60.0  # after a block: it takes a quarter of the evidence then
PATH_BITS = 512  # of the set in which different paths are counted (linear counting, Whang et al., 1990)
STRIDE_MAX = 8  # numbers asked for one after another may leave out so many, or come in another order
SHARE_GAIN = 0.02  # of a slice in what is known of shares: about a minute and a half of slices
SERVED_MIN = 20  # requests answered well, from which on a client is known
_DIGITS = "0123456789"
_FADE = tuple(exp(-slices * SLICE_S / MINUTE_S) for slices in range(512))
_PEAK_KEEP = 0.5 ** (SLICE_S / 86_400.0)

GOOD, DENIED, MISSING, WRONG = range(4)


class Client:
    """Counts fade; see `MINUTE_S`. Only what the client answers for is counted: no 5xx, no 429, nothing refused by a
    block. `asked` counts the requests of the present slice, `own` those of them that nobody else answers for: of an
    address those without a key.

    `held_until_s`: it is blocked, or would be. `trusted_until_s`: an operator has said that it may.
    """

    __slots__ = (
        "asked",
        "bad_before",
        "bad_since_s",
        "denied",
        "denied_route",
        "first_s",
        "good",
        "held_until_s",
        "hot",
        "hot_bad",
        "last_s",
        "level",
        "low",
        "missing",
        "older_paths",
        "own",
        "paths",
        "peak",
        "requests",
        "sequential",
        "served",
        "slice",
        "spared_until_s",
        "stem",
        "subject",
        "suspect_s",
        "top",
        "trusted_until_s",
        "usual_bad",
        "usual_missing",
        "won",
        "wrong",
    )

    def __init__(self, subject: str, slice_: int, time_s: float) -> None:
        self.subject = subject
        self.level = Level()
        self.usual_bad = self.usual_missing = 0.0  # shares of its requests that are answered 4xx, and 404 of these
        self.served = 0  # requests that were answered well, since it was first met
        self.peak = 0.0  # the most that it asked in a slice while that was nothing to object to; halves in a day
        self.held_until_s = self.trusted_until_s = self.spared_until_s = 0.0
        self.first_s = self.last_s = time_s
        self.slice = slice_
        self.forget()

    def forget(self) -> None:
        """Begin anew with what it did of late; what is usual for it stays."""
        self.asked = self.own = 0
        self.requests = self.good = self.denied = self.missing = self.wrong = self.won = self.sequential = 0.0
        self.bad_since_s = 0.0  # when the bad ones of late began
        self.bad_before = 0.0  # what of the bad ones is from earlier slices
        self.paths = self.older_paths = 0
        self.hot = self.hot_bad = 0
        self.stem, self.top, self.low = "", 0, 0
        self.denied_route = ""
        self.suspect_s = 0.0

    @property
    def bad(self) -> float:
        """Requests of late that were answered with a 4xx."""
        return self.denied + self.missing + self.wrong

    @property
    def known(self) -> bool:
        """It has been here for a while, and most of what it did was right."""
        return self.level.mature and self.served >= SERVED_MIN and self.usual_bad < 0.5

    def on_probation(self, time_s: float) -> bool:
        """It was blocked until a moment ago."""
        return time_s < self.held_until_s + PROBATION_S

    @property
    def different_paths(self) -> float:
        """How many different paths it got a 4xx for, of late (within about 10 %; at most some 3,000)."""
        free = PATH_BITS - (self.paths | self.older_paths).bit_count()
        return PATH_BITS * log(PATH_BITS / max(free, 1))

    def failed_at(self, digest: int) -> None:
        """Remember the path with this digest as one of those."""
        self.paths |= 1 << (digest & (PATH_BITS - 1))

    def counted_up(self, path: str) -> bool:
        """Whether the path is that of before with the next number, or the one before the first."""
        stem = path.rstrip(_DIGITS)
        number = int(path[len(stem) :][-18:])
        if stem != self.stem:
            self.stem, self.top, self.low = stem, number, number
            return False
        if self.top < number <= self.top + STRIDE_MAX:
            self.top = number
            return True
        if self.low > number >= self.low - STRIDE_MAX:
            self.low = number
            return True
        if not self.low <= number <= self.top:
            self.top = self.low = number
        return False

    def go_on(self, slice_: int) -> None:
        """It is a later slice now: what was done before fades."""
        slices = slice_ - self.slice
        keep = _FADE[slices] if slices < len(_FADE) else 0.0
        self.requests *= keep
        self.good *= keep
        self.denied *= keep
        self.missing *= keep
        self.wrong *= keep
        self.won *= keep
        self.sequential *= keep
        self.bad_before = self.bad
        minutes = slice_ // MINUTE_SLICES - self.slice // MINUTE_SLICES
        if minutes:
            self.older_paths, self.paths = self.paths if minutes == 1 else 0, 0
        self.peak *= _PEAK_KEEP**slices
        self.asked = self.own = 0
        self.slice = slice_

    def calm(self) -> None:
        """The slice that ends was nothing to object to: that is what this client may do."""
        self.peak = max(self.peak, float(self.asked))
        if self.requests >= 10.0:
            gain = SHARE_GAIN * (0.1 if self.hot_bad else 1.0)  # who has turned bad changes what is usual but slowly
            self.usual_bad += gain * (self.bad / self.requests - self.usual_bad)
            self.usual_missing += gain * (self.missing / self.requests - self.usual_missing)
