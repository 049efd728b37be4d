"""Failed sign-ins that come from everywhere: a route where far more of them fail than usual, from many addresses.

While that lasts a single address needs less to be suspicious. Where sign-ins have stopped to succeed, too, it is not
an attack but a broken sign-in.
"""

from math import log

from foregate.abuse.client import MINUTE_SLICES
from foregate.abuse.level import Level

ROUTES_MAX = 1_000  # watched; failures of further ones count to no route
DENIED_MIN = 60.0  # in a minute, from …
ADDRESSES_MIN = 20.0  # … so many addresses
GOOD_SHARE = 0.5  # of the successes that are usual: with fewer, it is ours
_GOOD_USUAL_MIN = 10.0  # in a minute; below it nothing is usual
_BITS = 1_024


class Spread:
    """By route."""

    def __init__(self, deviations: float) -> None:
        self._deviations = deviations
        self._routes: dict[str, _Watch] = {}

    def denied(self, route: str, address: int, slice_: int) -> None:
        """A request was answered 401 or 403. `address`: a digest of who asked."""
        watch = self._routes.get(route)
        if watch is None:
            if len(self._routes) >= ROUTES_MAX:
                return
            watch = self._routes[route] = _Watch(slice_)
        watch.at(slice_, self._deviations)
        watch.denied += 1
        watch.addresses |= 1 << (address & (_BITS - 1))

    def good(self, route: str, slice_: int) -> None:
        """A request was answered well."""
        watch = self._routes.get(route)
        if watch is not None:
            watch.at(slice_, self._deviations)
            watch.good += 1

    def is_attacked(self, route: str) -> bool:
        """Whether sign-ins at this route are being tried from many addresses."""
        watch = self._routes.get(route)
        return watch is not None and watch.attacked


class _Watch:
    __slots__ = ("_denied", "_good", "_hot", "_slice", "addresses", "attacked", "denied", "good", "usual", "usual_good")

    def __init__(self, slice_: int) -> None:
        self.usual, self.usual_good = Level(), Level()
        self.denied = self.good = 0  # in the present slice
        self._denied = self._good = 0.0  # in the minute before
        self.addresses = 0
        self.attacked = False
        self._slice = slice_
        self._hot = 0

    def at(self, slice_: int, deviations: float) -> None:
        gone = slice_ - self._slice
        if gone <= 0:
            return
        self._judge(deviations)
        self.usual.learn_clipped(float(self.denied), deviations)
        self.usual_good.learn_clipped(float(self.good), deviations)
        self.usual.rest(gone - 1)
        self.usual_good.rest(gone - 1)
        keep = (1.0 - 1.0 / MINUTE_SLICES) ** (gone - 1)
        self._denied, self._good = self._denied * keep, self._good * keep
        self.denied = self.good = 0
        if slice_ // MINUTE_SLICES != self._slice // MINUTE_SLICES:
            self.addresses = 0
        self._slice = slice_

    def _judge(self, deviations: float) -> None:
        self._denied += self.denied - self._denied / MINUTE_SLICES
        self._good += self.good - self._good / MINUTE_SLICES
        self._hot = self._hot + 1 if self.usual.z(self.denied) > deviations else 0
        usual_good = self.usual_good.mean * MINUTE_SLICES
        works = usual_good < _GOOD_USUAL_MIN or self._good >= GOOD_SHARE * usual_good
        many = self._denied >= DENIED_MIN and self._different >= ADDRESSES_MIN
        # Begins when far more fails than usual; lasts as long as many do.
        self.attacked = works and many and (self.attacked or self._hot >= 2)

    @property
    def _different(self) -> float:
        return _BITS * log(_BITS / max(_BITS - self.addresses.bit_count(), 1))
