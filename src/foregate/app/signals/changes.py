"""What a new configuration changes, and of whom: kept as changes, and counted per minute and entity."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import msgspec

from foregate.app.attempts import read_attempt
from foregate.app.paths import DataDir
from foregate.app.watch import Stamp, stamp
from foregate.kernel.clock import Clock
from foregate.kernel.ids import new_id
from foregate.ports.changes import ChangeStore
from foregate.wire.change import NAMES_MAX, Change, ChangeKind
from foregate.wire.snapshot import Service, Snapshot, decode_without_keys

MINUTE_S = 60.0
CHANGES_PER_MINUTE_MAX = 50  # counted; further ones of the same minute change no picture
BY = "configuration"
_encode = msgspec.json.Encoder(order="deterministic").encode


class Noted(msgspec.Struct, frozen=True):
    """A configuration in digests: `rest` of what is everybody's, and by name of routes, services and their targets."""

    version: str
    rest: str
    routes: dict[str, str]
    services: dict[str, str]
    targets: dict[str, str]


_decode = msgspec.json.Decoder(Noted).decode


def noted(snapshot: Snapshot) -> Noted:
    """Keys are left out: another key is no change of an API."""
    of_all = (
        snapshot.listeners,
        snapshot.policies,
        snapshot.plans,
        snapshot.trusted_proxies,
        snapshot.clients,
        snapshot.limits_url,
        snapshot.abuse,
        snapshot.cache,
    )
    return Noted(
        snapshot.version,
        _digest(of_all),
        {route.name: _digest(route) for route in snapshot.routes},
        {service.name: _digest(_without_targets(service)) for service in snapshot.services},
        {service.name: _digest(service.targets) for service in snapshot.services},
    )


def _without_targets(service: Service) -> Service:
    return msgspec.structs.replace(service, targets=())


def _digest(of: Any) -> str:
    return blake2b(_encode(of), digest_size=8).hexdigest()


def differences(before: Noted, now: Noted, snapshot: Snapshot, time_s: float) -> list[Change]:
    """At most one change of targets, and one of the configuration. A service's first or last appearance is no new
    version of it."""
    targets = [name for name in _differing(before.targets, now.targets) if name in before.targets.keys() & now.targets]
    services, routes = _differing(before.services, now.services), _differing(before.routes, now.routes)
    found = []
    if targets:
        found.append(_change("targets", snapshot, time_s, targets, ()))
    if before.rest != now.rest:
        found.append(_change("configuration", snapshot, time_s, (), ()))
    elif services or routes:
        found.append(_change("configuration", snapshot, time_s, services, routes))
    return found


def _differing(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Names that are new, gone, or stand for something else."""
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def _change(
    kind: ChangeKind, snapshot: Snapshot, time_s: float, services: Iterable[str], routes: Iterable[str]
) -> Change:
    named = tuple(dict.fromkeys(services)), tuple(dict.fromkeys(routes))
    if max(map(len, named)) > NAMES_MAX:
        named = (), ()  # so many are as good as all
    return Change(new_id("chg"), time_s, kind, snapshot.org, snapshot.environment, *named, version="", by=BY)


class ChangeWatch:
    """A `beside.Watch`: compares each new snapshot with the one before it, over restarts. There is one that writes."""

    def __init__(self, data: DataDir, store: ChangeStore, clock: Clock) -> None:
        self._data = data
        self._store = store
        self._clock = clock
        self._seen: Stamp | None = None

    def step(self) -> None:
        """Keep what has changed since the last one, as of when it came into force. Raises OSError, DecodeError."""
        seen = stamp(self._data.snapshot)
        if seen is None or seen == self._seen:
            return
        snapshot = decode_without_keys(self._data.snapshot.read_bytes())
        known, now = self._store.noted(), noted(snapshot)
        before = _decode(known) if known is not None else now
        if known is None or before != now:
            self._store.put(differences(before, now, snapshot, self._since_s(snapshot.version)), _encode(now))
        self._seen = seen

    def _since_s(self, version: str) -> float:
        attempt, now_s = read_attempt(self._data), self._clock.now()
        return min(attempt.at_s, now_s) if attempt is not None and attempt.version == version else now_s


def changes_of_minute(store: ChangeStore, start_s: float) -> list[Change]:
    """What was changed in the minute that began then. Raises OSError."""
    return store.between(start_s, start_s + MINUTE_S, CHANGES_PER_MINUTE_MAX)
