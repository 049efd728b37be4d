"""How long the requests of one route take, step by step, and what becomes of them.

An attempt is put together from the same parts as in the live model: a wait for a seat, a pause of the collector, own
work, calls to other services, a wait for a connection, the query, the provider. A fixed set of points that covers
every part's chance evenly stands for the requests of a minute (Latin hypercube: McKay, Beckman and Conover, 1979), so
a minute costs the same with one request or with ten thousand.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from foregate.lab.minutes.chance import Array, stream
from foregate.lab.minutes.plan import STEPS, RoutePlan, ServicePlan, WorldPlan
from foregate.lab.minutes.settle import Flow
from foregate.lab.minutes.waiting import Waiting

POINTS = 20  # per step
PARTS = 12
REFUSED_S = 0.002
GATEWAY_S = 0.0006
LATE_WIDTH = 0.1  # of the logarithm: how far around the time limit an attempt counts in part
MIX_SIGMA = 0.4  # of the calls to other services together


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Of requests that were neither limited nor refused by an open circuit. Shapes: (minutes, STEPS) but `times_s`."""

    times_s: Array  # (minutes, STEPS, POINTS)
    upstream_s: Array  # mean of an attempt
    failed: Array  # shares
    late: Array
    retried: Array
    left: Array  # clients that lost their patience
    limited_by_provider: Array


def outcomes(plan: WorldPlan, service: ServicePlan, route: RoutePlan, flow: Flow) -> Outcomes:
    """What the requests of `route` meet."""
    points = _Points(plan, service, route)
    attempt_s = _attempts(points, service, route, flow)
    limit_s = service.settings.timeout_s
    late = np.clip((np.log(attempt_s / limit_s)) / (2 * LATE_WIDTH) + 0.5, 0.0, 1.0)
    shares = _Shares(service, route, flow, late.mean(axis=2))
    times_s = _with_failures(points, np.minimum(attempt_s, limit_s), shares, service, flow)
    upstream_s = times_s.mean(axis=2)
    retrying = points.chance(11) < (shares.retryable * route.idempotent)[..., None]
    again_s = np.roll(times_s, 7, axis=2) + service.settings.base_s * (0.8 + 0.4 * points.chance(9))
    times_s = np.where(retrying, np.roll(times_s, 3, axis=2) + again_s, times_s)
    left = (times_s > service.patience_s).mean(axis=2)
    return Outcomes(
        GATEWAY_S + np.minimum(times_s, service.patience_s),
        upstream_s,
        failed=shares.twice(shares.retryable, route.idempotent) + (1.0 - shares.retryable) * shares.errors,
        late=shares.twice(shares.late, route.idempotent),
        retried=shares.retryable * route.idempotent,
        left=left,
        limited_by_provider=shares.quota,
    )


class _Points:
    """Uniform chance and unit normals per part, shapes (STEPS, POINTS): the same for every minute."""

    def __init__(self, plan: WorldPlan, service: ServicePlan, route: RoutePlan) -> None:
        rng = stream(plan.seed, "points", service.name, route.path)
        count = STEPS * POINTS
        cells = np.argsort(rng.random((PARTS, count)), axis=1)
        self._chance = ((cells + 0.5) / count).reshape(PARTS, STEPS, POINTS)
        self._normal: Array = _normals(count)[cells].reshape(PARTS, STEPS, POINTS)

    def chance(self, part: int) -> Array:
        out: Array = self._chance[part]
        return out

    def spread(self, part: int, sigma: float) -> Array:
        """Log-normal factors of median 1."""
        out: Array = np.exp(sigma * self._normal[part])
        return out


def _normals(count: int) -> Array:
    """The middles of `count` equally likely cells of the normal distribution."""
    inverse = NormalDist().inv_cdf
    return np.array([inverse((cell + 0.5) / count) for cell in range(count)])


def by_minute(steps: Array) -> Array:
    """(steps,) → (minutes, STEPS)."""
    return steps.reshape(-1, STEPS)


def _attempts(points: _Points, service: ServicePlan, route: RoutePlan, flow: Flow) -> Array:
    """Seconds of attempts that nothing refuses: (minutes, STEPS, POINTS)."""
    profile = service.profile
    sigma = profile.sigma

    def each(steps: Array) -> Array:
        return by_minute(steps)[..., None]

    heavy = points.chance(4) >= route.light
    work_s = each(flow.work_s) * (route.work * points.spread(0, sigma) * heavy)
    query_s = each(flow.query_s) * (route.query * points.spread(1, (sigma**2 + route.query_sigma**2) ** 0.5))
    if profile.provider_s:
        query_s = query_s + (each(flow.provider_s) * points.spread(2, sigma) + each(flow.paced_s)) * heavy
    else:
        work_s = work_s + each(flow.paced_s) * heavy
    misses = points.chance(5) < each(_misses(service, route, flow))
    stored_s = misses * (_waits(flow.store, points.chance(6)) + query_s)
    inner_s = each(flow.inner_s) * points.spread(3, MIX_SIGMA) / np.exp(MIX_SIGMA**2 / 2)
    total = _waits(flow.seat, points.chance(7)) + work_s + inner_s + stored_s + _paused(points, flow)
    out: Array = total * np.where(points.chance(8) < route.tail, route.tail_times, 1.0) + 1e-4
    return out


def _misses(service: ServicePlan, route: RoutePlan, flow: Flow) -> Array:
    """Of this route: a cold cache spares none of them."""
    if route.misses is None:
        return flow.misses
    cold = (flow.misses - service.profile.misses) / max(1e-9, 1.0 - service.profile.misses)
    return route.misses + (1.0 - route.misses) * cold


def _waits(waiting: Waiting, chance: Array) -> Array:
    return waiting.by_steps(len(waiting.refused) // STEPS, STEPS).draw(chance)


def _paused(points: _Points, flow: Flow) -> Array:
    """Some meet a pause under way, some cause one."""
    busy, met_s = by_minute(flow.pauses.busy)[..., None], by_minute(flow.pauses.met_s)[..., None]
    caused = by_minute(flow.pauses.per_request)[..., None]
    chance = points.chance(10)
    meets = np.where(chance < busy, 2 * met_s * chance / np.maximum(busy, 1e-9), 0.0)
    return meets + np.where(chance > 1.0 - caused, by_minute(flow.pauses.length_s)[..., None], 0.0)


class _Shares:
    """What becomes of an attempt, as shares in the order in which it may fail. Shapes (minutes, STEPS)."""

    def __init__(self, service: ServicePlan, route: RoutePlan, flow: Flow, late: Array) -> None:
        rest = np.ones_like(late)
        self.parts: list[Array] = []
        asks = (1.0 - route.light) if service.profile.provider else 0.0
        stored = _misses(service, route, flow)
        for share in (
            flow.refused,
            flow.seat.refused,
            flow.full,
            flow.inner_failed,
            stored * flow.store.refused,
            flow.quota_gone * asks,
        ):
            steps = by_minute(share)
            self.parts.append(rest * steps)
            rest = rest * (1.0 - steps)
        self.late = rest * late
        self.quota = self.parts[5]
        self.retryable = np.clip(1.0 - rest * (1.0 - late), 0.0, 1.0)
        self.errors = by_minute(flow.errors)

    def twice(self, share: Array, idempotent: float) -> Array:
        """Share of requests that end so when an idempotent one is tried twice."""
        return share * (1.0 - idempotent + idempotent * self.retryable)


def _with_failures(points: _Points, good_s: Array, shares: _Shares, service: ServicePlan, flow: Flow) -> Array:
    """Attempts as they end: refused at once, after a wait in vain, after some work."""
    wait_s = service.profile.wait_s
    work_s = by_minute(flow.work_s)[..., None]
    query_s = by_minute(flow.query_s)[..., None]
    waited_s = by_minute(flow.seat.mean_s)[..., None]
    paused_s = by_minute(flow.pauses.length_s)[..., None]
    inner_s = by_minute(flow.inner_s)[..., None]
    ends = (
        REFUSED_S, wait_s, waited_s + paused_s, waited_s + work_s + inner_s, waited_s + work_s + wait_s,
        waited_s + work_s + query_s,
    )  # fmt: skip
    chance = points.chance(9)
    out, below = good_s, np.zeros(shares.late.shape)
    for share, end_s in zip(shares.parts, ends, strict=True):
        hit = (chance >= below[..., None]) & (chance < (below + share)[..., None])
        if share.any():
            out = np.where(hit, np.minimum(np.asarray(end_s), service.settings.timeout_s), out)
        below = below + share
    return out
