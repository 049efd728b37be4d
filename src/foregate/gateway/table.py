"""A snapshot compiled for serving: everything the request path looks up, looked up beforehand.

Built in slices, so that a worker with thousands of routes goes on answering while it learns of the next ones; what has
not changed is taken over from the table before: policies with their state, remembered keys, blocks of numbers.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from foregate.gateway import layout
from foregate.gateway.ai import page
from foregate.gateway.chains import Chain, ChainBuilder
from foregate.gateway.match import Router, RouterBuilder
from foregate.gateway.policies.api_key import KeyRing
from foregate.gateway.policies.forwarded import Trust
from foregate.gateway.policies.policy import Means, Policy
from foregate.gateway.routes import RouteEntry
from foregate.gateway.shapes import shapes_of
from foregate.gateway.unrouted import Unrouted
from foregate.gateway.upstream import Services, ServiceState
from foregate.ports.blocks import Block, Blocks, Cells
from foregate.wire.match import Rule
from foregate.wire.snapshot import Route, Snapshot

SLICE_ROUTES = 25  # compiled in one go; about a millisecond
SLICE_NODES = 200  # of the router's trees, finished in one go
SLICE_KEYS = 2_000


@dataclass(frozen=True, slots=True)
class Table:
    """What a worker serves by, until there is another snapshot."""

    snapshot: Snapshot  # without its keys: those are in the ring, in a fifth of the memory
    router: Router[RouteEntry]
    unmatched: RouteEntry
    entries: Sequence[RouteEntry]
    services: Mapping[str, ServiceState]
    keys: KeyRing
    trust: Trust
    watchers: Trust  # who may see the metrics
    policies: Mapping[bytes, Policy]
    blocks: Mapping[str, Block]

    def cells_of(self, name: str) -> Cells:
        """This worker's cells of a named block."""
        return self.blocks[name].own


def build(
    snapshot: Snapshot, *, means: Means, services: Services, blocks: Blocks, pepper: bytes, before: Table | None
) -> Generator[None, None, Table]:
    """A table in slices. Nothing of it is in force before the generator returns it, except the state of services."""
    known = _claim(snapshot, blocks, before)
    yield
    held = before.keys if before is not None else None
    names = any(method != "api_key" for route in snapshot.routes for method in route.auth)
    keys = yield from KeyRing.build(snapshot.keys, snapshot.plans, pepper, SLICE_KEYS, held, names)
    shapes = yield from shapes_of(snapshot.keys, snapshot.plans, SLICE_KEYS // 4)
    states = services.apply(snapshot.services, lambda name: known[name].own, snapshot.policies)
    policies = before.policies if before is not None else {}
    chains = ChainBuilder(snapshot.policies, shapes, means, policies, states, lambda name: known[name].own)
    router: RouterBuilder[RouteEntry] = RouterBuilder()
    entries: list[RouteEntry] = []
    for index, route in enumerate(snapshot.routes):
        parts: list[Chain] = [chains.chain(route, states[part.service]) for part in route.services]
        entry = RouteEntry(route, parts or [chains.chain(route, None)], known[layout.route_block(route.name)[0]])
        entries.append(entry)
        router.add(route.rule, entry)
        if index % SLICE_ROUTES == SLICE_ROUTES - 1:
            yield
    for step, _ in enumerate(router.sealing()):
        if step % SLICE_NODES == SLICE_NODES - 1:
            yield
    for _ in router.sealing():
        yield
    nowhere = Route(layout.UNMATCHED, Rule(), auth=())
    last = Unrouted(router.build())
    unmatched = RouteEntry(nowhere, [chains.unmatched(last)], known[layout.route_block(layout.UNMATCHED)[0]])
    return Table(
        msgspec.structs.replace(snapshot, keys=()),
        router.build(),
        unmatched,
        entries,
        states,
        keys,
        Trust(snapshot.trusted_proxies),
        Trust(snapshot.metrics_to),
        chains.policies,
        known,
    )


def _claim(snapshot: Snapshot, blocks: Blocks, before: Table | None) -> dict[str, Block]:
    """The blocks of everything named in the snapshot; those that are held already are not claimed again."""
    wanted = [layout.route_block(layout.UNMATCHED)]
    wanted += [layout.route_block(route.name) for route in snapshot.routes]
    wanted += [layout.service_block(service.name) for service in snapshot.services]
    wanted += [
        layout.target_block(service.name, target.url) for service in snapshot.services for target in service.targets
    ]
    wanted += [block for _, block in page.blocks_of(snapshot)]
    held = before.blocks if before is not None else {}
    missing = [item for item in wanted if item[0] not in held]
    fresh = dict(zip((name for name, _ in missing), blocks.claim(missing), strict=True))
    return {name: held[name] if name in held else fresh[name] for name, _ in wanted}
