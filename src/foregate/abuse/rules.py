"""What abuse looks like: each rule takes a client and gives a sentence with the numbers, or "" where it sees nothing.

A client of whom nothing is known is measured by the numbers of the settings alone. One that is known must also do more
wrong than it usually does altogether: a client that goes on as ever and is answered 401 has a revoked key, not a plan.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from foregate.abuse.client import MINUTE_SLICES, SLICE_S, Client
from foregate.abuse.level import Level, share_z
from foregate.wire.abuse import Abuse

PROBATION_SHARE = 0.25  # of the evidence, just after a block
SPREAD_SHARE = 0.2  # of the failed sign-ins, while they come from everywhere and none of them succeeds
DENIED_SHARE = 0.6  # of its requests at least: behind one address may be many people, and a challenge is half of them
MISSING_SHARE = 0.7
DIFFERENT_SHARE = 0.5  # of the failed paths are different: who polls one path that is gone is broken
BAD_SHARE = 0.5
ALL_THERE_SHARE = 0.05  # of the requests in vain: with fewer, whoever counts finds what it asks for, …
ALL_THERE_FACTOR = 8.0  # … and so much more of it is wanted
KEY_BAD_SHARE = 0.3  # of a key that walks through numbers: those that it may see are its own
HOT_SLICES = 4  # in a row: a burst of eight seconds is nobody's attack
HOT_BAD_SLICES = 3
RISE_MIN = 3.0  # times what is usual, and what it was ever seen to do rightly
_SLICES = MINUTE_SLICES


class Bars(NamedTuple):
    """What it takes: counts in a minute, `rate` in a slice."""

    denied: float
    missing: float
    sequential: float
    rate: float
    deviations: float
    hot_slices: int

    @staticmethod
    def of(settings: Abuse, share: float = 1.0) -> "Bars":
        """With so much less evidence."""
        return Bars(
            settings.credential_failures * share,
            settings.missing_paths * share,
            settings.sequential_ids * share,
            settings.requests_per_s * SLICE_S * share,
            settings.deviations,
            HOT_SLICES if share >= 1.0 else 2,
        )


def credential_stuffing(client: Client, bars: Bars) -> str:
    """Signing in again and again, and failing."""
    denied = client.denied
    if denied < bars.denied or denied < DENIED_SHARE * client.requests or denied <= _usual_most(client, bars):
        return ""
    won = f", and {client.won:.0f} succeeded among them: look at these accounts" if client.won >= 1.0 else ""
    return (
        f"{denied:.0f} of its {client.requests:.0f} requests in a minute were refused as unauthorised (401, 403) at "
        f"{client.denied_route or 'no route'}{won}; usual are {_usual(client)}"
    )


def sweep(client: Client, bars: Bars) -> str:
    """Asking for many different things that are not there, or not for it."""
    failed = client.missing + client.denied
    if client.missing < bars.missing / 2 or failed < bars.missing or failed < MISSING_SHARE * client.requests:
        return ""
    different = client.different_paths
    if different < DIFFERENT_SHARE * bars.missing or failed <= _usual_most(client, bars):
        return ""
    return (
        f"{failed:.0f} of its {client.requests:.0f} requests in a minute were for what is not there (404) or not its "
        f"own, about {different:.0f} different paths; usual are {_usual(client)}"
    )


def enumeration(client: Client, bars: Bars) -> str:
    """Walking through numbers, one after another. Map viewers and crawlers do it too, but meet what is there."""
    found = client.bad < ALL_THERE_SHARE * client.requests
    wanted = bars.sequential * (ALL_THERE_FACTOR if found else 1.0)
    if client.sequential < wanted or client.sequential <= _usual_most(client, bars):
        return ""
    if client.subject.startswith("key:") and client.bad < KEY_BAD_SHARE * client.requests:
        return ""
    return (
        f"{client.sequential:.0f} of its {client.requests:.0f} requests in a minute counted through numbers under "
        f"{client.stem or '/'}, {client.bad:.0f} of them in vain; usual are {_usual(client)}"
    )


def errors(client: Client, bars: Bars) -> str:
    """A known client most of whose requests are suddenly wrong, and which makes far more of them."""
    bad = client.bad
    if client.hot_bad < HOT_BAD_SLICES or bad < bars.denied or bad <= _usual_most(client, bars):
        return ""
    z, missing_z = error_z(client), missing_z_of(client)
    if missing_z >= z:
        said = (
            f"{client.missing:.0f} of its {client.requests:.0f} requests in a minute were for what is not there (404)"
        )
        return f"{said}, {missing_z:.0f} standard deviations above its usual {client.usual_missing:.0%}"
    said = f"{bad:.0f} of its {client.requests:.0f} requests in a minute were answered with a 4xx"
    return f"{said}, {z:.0f} standard deviations above its usual {client.usual_bad:.0%}"


def rate(client: Client, bars: Bars) -> str:
    """More than it ever rightly did, and far more than is usual for it."""
    if client.hot < bars.hot_slices:
        return ""
    return (
        f"{bars.rate / SLICE_S:.0f} requests/s or more for {client.hot * SLICE_S:.0f} s, more than {bars.deviations:g} "
        f"standard deviations above what is usual for {_whom(client)}"
    )


RULES: Mapping[str, Callable[[Client, Bars], str]] = {
    "credential_stuffing": credential_stuffing,
    "sweep": sweep,
    "enumeration": enumeration,
    "errors": errors,
    "rate": rate,
}


def is_hot(client: Client, bars: Bars, growth: float, everybody: Level) -> bool:
    """Whether the slice that ends holds too many requests, when everybody asks `growth` times more than usual.

    Of an address, that it had no key for: keys answer for themselves. A new key is never too quick: there are limits
    for that. `everybody` is what clients without a past are compared with.
    """
    asked, level = client.asked / growth, client.level
    if asked < bars.rate or client.own < client.asked * 0.5:
        return False
    if level.mature:
        return level.z(asked) > bars.deviations and asked > RISE_MIN * max(level.mean, client.peak)
    if client.subject.startswith("key:"):
        return False
    return not everybody.mature or everybody.z(asked) > bars.deviations


def error_z(client: Client) -> float:
    """How far the share of wrong requests of late is above what is usual for this client; negative: below."""
    return share_z(client.bad, client.requests, client.usual_bad)


def missing_z_of(client: Client) -> float:
    """Likewise of what is not there."""
    return share_z(client.missing, client.requests, client.usual_missing)


def has_turned_bad(client: Client, bars: Bars) -> bool:
    """Whether a known client is, of late, wrong far more often than usual (at all, or by asking for what is not
    there), and more often than right: of late, and in the slice that ends."""
    if not client.known or client.bad < BAD_SHARE * client.requests:
        return False
    if client.bad - client.bad_before < BAD_SHARE * max(client.asked, 1):
        return False
    return error_z(client) > bars.deviations or missing_z_of(client) > bars.deviations


def _usual_most(client: Client, bars: Bars) -> float:
    """The most requests that are usual in a minute; 0 of a client that nothing is known of."""
    return client.level.most(bars.deviations, _SLICES) if client.level.mature else 0.0


def _usual(client: Client) -> str:
    if not client.level.mature:
        return "none: it is new here"
    usual = client.usual_bad * client.level.mean * _SLICES
    return f"{usual:.1f} of {client.level.mean * _SLICES:.0f}"


def _whom(client: Client) -> str:
    return f"it: {client.level.mean / SLICE_S:.1f}/s" if client.level.mature else "others: it is new here"
