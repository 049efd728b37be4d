"""When the first certificate expires that the gateway shows or trusts: its listeners', and each service's.

Read from the files that the snapshot names, not from handshakes: what an upstream shows is not known here.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from foregate.app.watch import Stamp, stamp
from foregate.http1.certificate_dates import Validity, validities
from foregate.wire.snapshot import Snapshot

FILE_BYTES_MAX = 16_777_216  # read of one file; the supervisor keeps no larger one
FILES_MAX = 4_096  # looked at; of a configuration with more the certificates are not known


class Expiries(NamedTuple):
    """Unix seconds. `own_s`: of all listeners, None where none speaks TLS. `services`: of those with files of theirs.

    `unreadable`: files that say nothing; the others count all the same.
    """

    own_s: float | None
    services: dict[str, float]
    unreadable: tuple[str, ...] = ()


class Certificates:
    """Reads a file again only when it has changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Stamp | None, Sequence[Validity]]] = {}

    def read(self, snapshot: Snapshot) -> Expiries:
        """Of the certificates that the snapshot names. Raises OSError where it names too many."""
        chains, trusted = _own(snapshot)
        services = {each.name: _of_service(each.tls.certificate, each.tls.ca_file) for each in snapshot.services}
        named = {*chains, *trusted}.union(*(files for pair in services.values() for files in pair))
        if len(named) > FILES_MAX:
            raise OSError(f"the configuration names {len(named)} certificate files, {FILES_MAX} are looked at")
        self._known = {file: known for file, known in self._known.items() if file in named}
        unreadable = [file for file in sorted(named) if not self._load(file)]
        found = {name: until_s for name, pair in services.items() if (until_s := self._first(*pair)) is not None}
        return Expiries(self._first(chains, trusted), found, tuple(unreadable))

    def _load(self, file: str) -> bool:
        seen = stamp(Path(file))
        known = self._known.get(file)
        if known is None or known[0] != seen or seen is None:
            self._known[file] = seen, _validities(file)
        return bool(self._known[file][1])

    def _first(self, chains: Iterable[str], trusted: Iterable[str]) -> float | None:
        """A chain lasts as long as its first link, a file of authorities as long as any of them."""
        ends = [_end_of_chain(self._known[file][1]) for file in chains if self._known[file][1]]
        ends += [max(each.until_s for each in self._known[file][1]) for file in trusted if self._known[file][1]]
        return min(ends) if ends else None


def _own(snapshot: Snapshot) -> tuple[list[str], list[str]]:
    chains = [each.certificate for listener in snapshot.listeners for each in listener.certificates]
    return chains, [listener.client_ca_file for listener in snapshot.listeners if listener.client_ca_file]


def _of_service(certificate: str | None, ca_file: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (certificate,) if certificate else (), (ca_file,) if ca_file else ()


def _end_of_chain(chain: Sequence[Validity]) -> float:
    """A root at its end is not needed: whoever checks the chain has it, or does not trust it."""
    return min([chain[0].until_s, *(each.until_s for each in chain[1:] if not each.self_issued)])


def _validities(file: str) -> Sequence[Validity]:
    try:
        with open(file, encoding="ascii", errors="ignore") as opened:
            return validities(opened.read(FILE_BYTES_MAX))
    except (OSError, ValueError):
        return ()  # named among the unreadable
