"""Outcomes of steps → the columns of a minute (`wire.minutes`), with the chance of as few requests as there are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foregate.lab.minutes.chance import Array, normal_above, stream
from foregate.lab.minutes.plan import STEP_S, STEPS, RoutePlan, ServicePlan, WorldPlan
from foregate.lab.minutes.reported import reported
from foregate.lab.minutes.requests import POINTS, Outcomes, by_minute
from foregate.lab.minutes.settle import Flow

QUANTILES = (0.99, 0.95, 0.50)


def route_columns(
    plan: WorldPlan, service: ServicePlan, route: RoutePlan, flow: Flow, seen: Outcomes
) -> dict[str, Array]:
    """Each column that follows from the requests of one route, shape (minutes,)."""
    rng = stream(plan.seed, "counts", service.name, route.path)
    rate = by_minute(flow.demand * (1.0 + flow.repeats)) * route.rps
    mean = rate.sum(axis=1) * STEP_S

    def usual(steps: Array) -> Array:
        """A share over the minute, as its requests are spread over the steps."""
        out: Array = (steps * rate).sum(axis=1) / np.maximum(rate.sum(axis=1), 1e-12)
        return np.clip(out, 0.0, 1.0)

    requests = _arrivals(rng, mean, route.crawled)
    limited = rng.binomial(requests, route.limited)
    broken = rng.binomial(requests - limited, usual(by_minute(flow.broken)))
    served = requests - limited - broken
    failed = rng.binomial(served, usual(seen.failed))
    late = rng.binomial(failed, np.clip(usual(seen.late) / np.maximum(usual(seen.failed), 1e-9), 0.0, 1.0))
    columns: dict[str, Any] = {
        **_times(rng, seen, served),
        "requests": requests,
        "errors": failed + broken,
        "timeouts": late,
        "client_errors": rng.binomial(served - failed, route.client_errors),
        "limited": limited,
        "broken": broken,
        "retries": rng.binomial(served, usual(seen.retried)),
        "upstream_limited": rng.binomial(served, usual(seen.limited_by_provider)),
    }
    if route.tokens:
        columns |= _model(rng, route, flow, served, failed, columns["upstream_limited"])
    return {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}


def _arrivals(rng: np.random.Generator, mean: Array, crawled: int) -> NDArray[np.int64]:
    if crawled:
        return rng.poisson(mean / crawled) * crawled
    return rng.poisson(mean)


def _times(rng: np.random.Generator, seen: Outcomes, served: NDArray[np.int64]) -> dict[str, Array]:
    """Mean and quantiles of so many draws of the minute's distribution.

    The k-th smallest of n draws lies where its distribution has reached a Beta(k, n+1-k) share (David and Nagaraja,
    "Order Statistics", 2003): so no draw is made one by one.
    """
    minutes = len(served)
    ordered = np.sort(seen.times_s.reshape(minutes, STEPS * POINTS), axis=1)
    count = np.maximum(served, 1)
    share, above = np.ones(minutes), count + 1
    out = {}
    for quantile in QUANTILES:
        rank = np.maximum(1, np.ceil(quantile * count)).astype(np.int64)
        moved = rank < above
        share = np.where(moved, share * rng.beta(rank, np.maximum(1, above - rank)), share)
        above = rank
        out[f"p{quantile * 100:.0f}_ms"] = 1e3 * _at(ordered, share)
    mean, deviation = ordered.mean(axis=1), ordered.std(axis=1)
    noise = np.clip(deviation / mean / np.sqrt(count), 0.0, 1.0) * rng.standard_normal(minutes)
    factor = np.exp(np.clip(noise, -1.5, 1.5))
    out["mean_ms"] = 1e3 * mean * factor
    out["upstream_mean_ms"] = 1e3 * seen.upstream_s.mean(axis=1) * factor
    return {name: np.where(served > 0, values, np.nan) for name, values in out.items()}


def _at(ordered: Array, share: Array) -> Array:
    """Where the distribution of each row reaches `share`, interpolated between the points in the logarithm."""
    rows = np.arange(len(ordered))
    place = np.clip(share * ordered.shape[1] - 0.5, 0.0, ordered.shape[1] - 1.001)
    below = place.astype(np.int64)
    rest = place - below
    low, high = np.log(ordered[rows, below]), np.log(ordered[rows, below + 1])
    out: Array = np.exp(low + rest * (high - low))
    return out


def _model(
    rng: np.random.Generator,
    route: RoutePlan,
    flow: Flow,
    served: NDArray[np.int64],
    failed: NDArray[np.int64],
    refused: Array,
) -> dict[str, Array]:
    """What a language model adds."""
    good = served - failed
    tokens = good * route.tokens * np.exp(0.5 / np.sqrt(np.maximum(good, 1)) * rng.standard_normal(len(good)))
    first_s = by_minute(flow.seat.mean_s + flow.pauses.mean_s + flow.work_s + flow.paced_s + flow.store.mean_s)
    noise = np.exp(0.2 / np.sqrt(np.maximum(good, 1)) * rng.standard_normal(len(good)))
    return {
        "tokens": np.round(tokens),
        "first_token_ms": np.where(good > 0, 1e3 * first_s.mean(axis=1) * noise, np.nan),
        "model_failures": failed + refused,
    }


def service_columns(plan: WorldPlan, service: ServicePlan, flow: Flow, seen: list[Outcomes]) -> dict[str, Array]:
    """Each column that all routes of a service share, shape (minutes,)."""
    rng = stream(plan.seed, "shared", service.name)
    rates = by_minute(flow.demand * (1.0 + flow.repeats) * (1.0 - flow.broken))
    under_way = sum(
        rates * route.rps * (1.0 - route.limited) * one.times_s.mean(axis=2)
        for route, one in zip(service.routes, seen, strict=True)
    )
    arrivals = rates * sum(route.rps for route in service.routes)
    most = _most(rng, under_way, arrivals).max(axis=1)
    columns = {
        "inflight_max": most.astype(np.float64),
        "queue_mean_ms": 1e3 * by_minute(flow.seat.mean_s).mean(axis=1),
        "deploys": _deploys(plan, service),
        "config_changes": _marks(plan, plan.config_changes_s),
        "cert_left_s": _certificate(plan, service),
        "time_limit_ms": np.full(plan.minutes, 1e3 * service.settings.timeout_s),
        **reported(plan, service, flow),
    }
    if service.profile.provider:
        columns["quota_left"] = by_minute(flow.quota_left)[:, -1]
    return columns


def _most(rng: np.random.Generator, mean: Array, per_s: Array) -> Array:
    """The highest number in flight that those who come see, themselves included, in each step.

    What they see is Poisson around `mean` (Little) and forgotten after about a request's time, so the highest of k
    independent looks: its chance is u^(1/k), its value by Cornish and Fisher's expansion.
    """
    looks = np.clip(per_s * STEP_S, 1.0, STEP_S * per_s / np.maximum(mean, 1e-3) + 1.0)
    above = np.clip(-np.log(np.maximum(rng.random(mean.shape), 1e-12)) / looks, 1e-9, 0.5)
    z = normal_above(above)
    out: Array = np.maximum(0.0, np.floor(mean + z * np.sqrt(mean) + (z * z - 1.0) / 6.0 + 0.5)) + 1.0
    return out


def _marks(plan: WorldPlan, moments_s: tuple[float, ...]) -> Array:
    out = np.zeros(plan.minutes)
    for at_s in moments_s:
        if 0.0 <= at_s < plan.minutes * 60.0:
            out[int(at_s // 60)] += 1
    return out


def _deploys(plan: WorldPlan, service: ServicePlan) -> Array:
    """The bad ones are deployed like the others."""
    moments = [deploy.at_s for deploy in plan.deploys if deploy.service == service.name]
    bad = [one.start_s for one in plan.troubles if one.kind == "bad_deploy" and one.service == service.name]
    return _marks(plan, (*moments, *bad))


RENEWED_S = 30 * 86_400.0  # before its end, an ordinary certificate is replaced by one of three times that


def _certificate(plan: WorldPlan, service: ServicePlan) -> Array:
    """Seconds that are left at the end of each minute: to the ordinary renewal, or to the end that nobody noticed."""
    ends_s = (np.arange(plan.minutes) + 1) * 60.0
    left = service.cert_expires_s - ends_s
    left = np.where(left < RENEWED_S, left + 2 * RENEWED_S, left)
    forgotten = [one for one in plan.troubles if one.kind == "certificate" and one.service == service.name]
    for one in sorted(forgotten, key=lambda one: one.start_s, reverse=True):
        before = ends_s < one.start_s + one.duration_s
        left = np.where(before, np.maximum(0.0, one.start_s - ends_s), left)
    out: Array = np.where(np.isnan(service.cert_expires_s), np.nan, left)
    return out
