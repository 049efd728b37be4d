"""From a request to its route, at a cost that does not grow with the routes. Pure: no I/O, no clock.

Hosts lead to trees of path segments (`tree`), and those to the few rules whose path fits; `precedence` says which of
them goes first. Ordinary routes (a prefix or an exact path) are found without allocating anything, and what a
path alone decides is remembered: at most REMEMBERED_MAX short paths, beyond them all are forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from foregate.gateway.match.conditions import Asked
from foregate.gateway.match.entry import Entry, Match, order
from foregate.gateway.match.hosts import HostPattern, normalise, read_host
from foregate.gateway.match.path import UNSAFE, Segments, Unsafe, split, split_plain
from foregate.gateway.match.tree import CAREFUL, Tree
from foregate.http1.headers import HeaderList
from foregate.wire.match import Rule

T = TypeVar("T")
REMEMBERED_MAX = 1_024
_REMEMBERED_BYTES_MAX = 256  # of a path with its host


class Router(Generic[T]):
    """`entries` are (rule, value), in the order of the file; every rule without a `problem_with`.

    Paths and queries are raw bytes, as the request line has them; the query without its "?". `host` is the Host
    header's value; names in `headers` are lower case.
    """

    __slots__ = ("_any", "_exact", "_known", "_labels", "_wildcards", "entries")

    def __init__(self, entries: Iterable[tuple[Rule, T]] = ()) -> None:
        self.entries: list[Entry[T]] = []  # one per rule and host
        self._any: Tree[T] = Tree()
        self._exact: dict[tuple[bytes, bytes], Tree[T]] = {}
        self._wildcards: dict[tuple[bytes, bytes], Tree[T]] = {}
        self._labels = 0  # of the longest wildcard: no more of a host are looked at, however many it has
        self._known: dict[bytes, Match[T]] = {}  # by path, after its host where hosts matter
        builder = RouterBuilder(self)
        for rule, value in entries:
            builder.add(rule, value)
        builder.build()

    def find(
        self, method: bytes, host: bytes, path: bytes, query: bytes, headers: HeaderList
    ) -> Match[T] | Unsafe | None:
        """The first rule that takes the request; None when none does; UNSAFE when it must be refused (400)."""
        hosted = self._exact or self._wildcards
        asked = host + path if hosted else path  # no host has a "/", and every path but `*` begins with one
        known = self._known.get(asked)
        if known is not None:
            return known
        if b"%" in path or b"/." in path or b"//" in path or b"\\" in path or b";" in path:
            segments = split(path)
            return UNSAFE if segments is UNSAFE else self._choose(method, host, segments, query, headers)
        for each in self._trees(host) if hosted else (self._any,):
            found = each.find(path)
            if found is CAREFUL:
                return self._choose(method, host, split_plain(path), query, headers)
            if found is not None:
                self._remember(asked, found)
                return found
        return None

    def _remember(self, asked: bytes, found: Match[T]) -> None:
        """What this path gets is certain, whatever else the request says."""
        if len(asked) <= _REMEMBERED_BYTES_MAX:
            if len(self._known) >= REMEMBERED_MAX:
                self._known.clear()
            self._known[asked] = found

    def methods(self, host: bytes, path: bytes, query: bytes, headers: HeaderList) -> tuple[bytes, ...]:
        """After `find` gave None: the methods that rules would take here, for 405 and its Allow; () means 404."""
        segments = split(path)
        if segments is UNSAFE:
            return ()
        asked = Asked(query, headers)
        taken: set[bytes] = set()
        for entry in self._candidates(b"", host, segments):
            if entry.wants(asked) and (entry.pattern is None or entry.groups(segments)):
                taken |= entry.methods
        return tuple(sorted(taken))

    def _choose(
        self, method: bytes, host: bytes, segments: Segments, query: bytes, headers: HeaderList
    ) -> Match[T] | Unsafe | None:
        """The same for every kind of rule and of path."""
        asked: Asked | None = None
        for entry in self._candidates(method, host, segments):
            if entry.methods and method not in entry.methods:
                continue
            if entry.asks:
                asked = asked or Asked(query, headers)
                if not entry.wants(asked):
                    continue
            if entry.pattern is None:
                return entry.matched(segments, None)
            groups = entry.groups(segments)
            if groups is UNSAFE:
                return UNSAFE
            if groups is not None:
                return entry.matched(segments, groups)
        return None

    def _candidates(self, method: bytes, host: bytes, segments: Segments) -> list[Entry[T]]:
        """Rules for this host and path, whatever methods they take, in the order of precedence."""
        if self._exact or self._wildcards:
            found = [entry for tree in self._trees(host) for entry in tree.candidates(segments.names)]
        else:
            found = self._any.candidates(segments.names)
        if len(found) > 1:
            found.sort(key=order(method))
        return found

    def _trees(self, host: bytes) -> list[Tree[T]]:
        """The trees of a host, the most specific first."""
        name, port = normalise(host)
        found = []
        if self._exact:
            found = [self._exact.get((name, port)) if port else None, self._exact.get((name, b""))]
        if self._wildcards:
            for suffix in self._suffixes(name):
                if port:
                    found.append(self._wildcards.get((suffix, port)))
                found.append(self._wildcards.get((suffix, b"")))
        return [*(tree for tree in found if tree is not None), self._any]

    def _suffixes(self, name: bytes) -> list[bytes]:
        """What wildcards may say of a name, the longest first: ".b.example.com", ".example.com", ".com"."""
        found: list[bytes] = []
        end = len(name)
        for _ in range(self._labels):
            end = name.rfind(b".", 1, end)  # a star stands for at least one character
            if end < 0:
                break
            found.append(name[end:])
        found.reverse()
        return found


class RouterBuilder(Generic[T]):
    """Builds a Router in small steps, for who must not block: `add` each rule, exhaust `sealing()`, `build()`.

    One `add` or one step of `sealing` takes microseconds (the compiling of a long regex up to some milliseconds).
    """

    def __init__(self, router: Router[T] | None = None) -> None:
        self._router: Router[T] = Router() if router is None else router
        self._rules = 0
        self._steps = self._seal()

    def add(self, rule: Rule, value: T) -> None:
        """Take the next rule of the file."""
        router = self._router
        hosts: list[HostPattern | None] = [read_host(text) for text in rule.hosts]
        for host in hosts or [None]:
            entry = Entry(rule, value, self._rules, host)
            router.entries.append(entry)
            self._tree(host).add(entry)
        self._rules += 1

    def sealing(self) -> Iterator[None]:
        """What is to be done after the last `add`, one node of a tree a step."""
        return self._steps

    def build(self) -> Router[T]:
        """The finished router; does at once whatever `sealing` has not done."""
        for _ in self._steps:
            pass
        return self._router

    def _seal(self) -> Iterator[None]:
        router = self._router
        shared = [router._any, *router._wildcards.values()]
        best = sorted((tree.best, number) for number, tree in enumerate(shared) if tree.best is not None)[:2]
        for number, tree in enumerate(shared):
            yield from tree.sealing(next((rank for rank, other in best if other != number), None))
        for (name, port), tree in router._exact.items():
            ranks = [rank for rank, _ in best[:1]]
            beside = router._exact.get((name, b"")) if port else None
            if beside is not None and beside.best is not None:
                ranks.append(beside.best)
            yield from tree.sealing(min(ranks, default=None))

    def _tree(self, host: HostPattern | None) -> Tree[T]:
        router = self._router
        if host is None:
            return router._any
        if host.wildcard:
            router._labels = max(router._labels, host.name.count(b"."))
        trees = router._wildcards if host.wildcard else router._exact
        return trees.setdefault((host.name, host.port), Tree())
