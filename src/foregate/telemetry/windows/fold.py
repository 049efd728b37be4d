"""Columns of events → what each entity's panes and minutes gain by them. Pure functions over one micro-batch.

The definition of what is counted, in numpy; docs/explanations/windows.md is the same in SQL, and a test holds the two
to each other. Cost: a sort of the batch, and a few objects per (entity, pane) that it touches.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from foregate.telemetry.facets import CLASSES, REST, Facets
from foregate.telemetry.sketch import BUCKETS, MIN_MS, PER_LOG, SUM_MAX, Sketch
from foregate.telemetry.tally import Tally
from foregate.telemetry.windows import models
from foregate.telemetry.windows.columns import BROKE, CLIENTS_FAULT, TIMED_OUT, Columns, EntityKey, Flags, Floats, Ints
from foregate.wire.event import UNMEASURED_MS

PANE_S = 10
MINUTE_S = 60
LATENCY_MAX_MS = 1e9  # a longer one (12 days) is not a measurement
_BYTES_MAX = 1 << 44  # 16 TB in one body is not one either
_SMALL_MAX = 1 << 24  # nor so many attempts, or requests at once
_STATUS_MAX = 999
_CLIENT_LEFT = 499
_TOO_MANY_REQUESTS = 429
_HASH_SPACE = 1 << 32


class Gain(NamedTuple):
    """What one entity's pane, or minute, gains. `tally` has no facets."""

    entity: EntityKey
    start_s: int
    tally: Tally


class FacetGain(NamedTuple):
    entity: EntityKey
    start_s: int
    facets: Facets


class Folded(NamedTuple):
    panes: list[Gain]
    minutes: list[FacetGain]


def possible(columns: Columns, until_s: Floats) -> Flags:
    """Which events can have been measured: nothing a hostile or broken sender says may overflow a sum.

    `until_s`: the latest time of each that is believed. NaN fails every comparison.
    """
    fine: Flags = (
        (columns.time_s >= 0.0)
        & (columns.time_s <= until_s)
        & ((columns.latency_ms >= 0.0) | (columns.latency_ms == UNMEASURED_MS))
        & (columns.latency_ms <= LATENCY_MAX_MS)
        & _between(columns.request_bytes, _BYTES_MAX)
        & _between(columns.response_bytes, _BYTES_MAX)
        & _between(columns.attempts, _SMALL_MAX)
        & _between(columns.inflight, _SMALL_MAX)
        & _between(columns.status, _STATUS_MAX)
    )
    return fine


def _between(values: Ints, highest: int) -> Flags:
    return (values >= 0) & (values <= highest)


def fold(columns: Columns, *, facets: bool = True) -> Folded:
    """Count possible events. One gain per (entity, pane) and per (entity, minute) that has any."""
    if not columns.events:
        return Folded([], [])
    pane = columns.time_s.astype(np.int64) // PANE_S
    first = int(pane.min())
    cell = columns.entity * (int(pane.max()) - first + 1) + (pane - first)
    order = np.argsort(cell, kind="stable")
    columns, pane, cell = columns.at(order), pane[order], cell[order]
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    counted = _Counted(columns)
    panes = list(_panes(columns, counted, pane, starts))
    return Folded(panes, list(_minutes(columns, counted, pane)) if facets else [])


class _Counted:
    """What each event counts as: `tally`'s docstring says what goes where."""

    def __init__(self, events: Columns) -> None:
        status, error = events.status, events.error
        broke_off = (error & BROKE != 0) & (error & CLIENTS_FAULT == 0) & (status < 400)
        failed = (status >= 500) | broke_off
        client_error = (status >= 400) & (status < _CLIENT_LEFT) & ~events.limited
        refused = events.limited | events.broken | ((events.attempts == 0) & (error & BROKE != 0))
        model, waited_ms = events.model, events.waited_ms
        limited = (status == _TOO_MANY_REQUESTS) & (events.attempts > 0) & ~events.limited
        of_models = model[:, models.REQUESTS]
        waited = (waited_ms >= 0.0) & (waited_ms <= LATENCY_MAX_MS) & ((events.attempts > 0) | (waited_ms > 0.0))
        self.numbers = np.stack(
            [
                np.ones_like(status),
                failed.astype(np.int64),
                (failed & (error & TIMED_OUT != 0)).astype(np.int64),
                client_error.astype(np.int64),
                events.limited.astype(np.int64),
                events.broken.astype(np.int64),
                np.maximum(events.attempts - 1, 0),
                events.request_bytes,
                events.response_bytes,
                np.where(of_models > 0, model[:, models.LIMITED], limited),
                waited.astype(np.int64),
                (np.where(waited, waited_ms, 0.0) * 1000.0 + 0.5).astype(np.int64),
                of_models,
                model[:, models.FAILURES],
                model[:, models.TOKENS],
                model[:, models.FIRST_TOKENS],
                model[:, models.FIRST_TOKEN_US],
            ]
        )
        self.measured: Flags = ~refused & (events.latency_ms >= 0.0)
        upstream_ms = events.upstream_ms
        self.asked: Flags = (events.attempts > 0) & (upstream_ms > 0.0) & (upstream_ms <= LATENCY_MAX_MS)
        self.latency = _buckets_of(events.latency_ms)
        self.status_class = np.clip(status // 100, CLASSES[0], CLASSES[-1])


def _panes(events: Columns, counted: _Counted, pane: Ints, starts: Ints) -> Iterator[Gain]:
    numbers = np.minimum(np.add.reduceat(counted.numbers, starts, axis=1), SUM_MAX).T.tolist()
    inflight = np.maximum.reduceat(events.inflight, starts).tolist()
    slowest = np.maximum.reduceat(np.where(counted.measured, events.latency_ms, 0.0), starts).tolist()
    group = _group_of(events.events, starts)
    latency = _sketches(group, counted.latency, events.latency_ms, counted.measured, len(starts))
    upstream = _sketches(group, _buckets_of(events.upstream_ms), events.upstream_ms, counted.asked, len(starts))
    entities = events.entity[starts].tolist()
    begins = (pane[starts] * PANE_S).tolist()
    for at in range(len(begins)):
        tally = Tally()
        tally.numbers, tally.inflight_max, tally.max_ms = numbers[at], inflight[at], slowest[at]
        tally.latency, tally.upstream = latency[at], upstream[at]
        yield Gain(events.entities[entities[at]], begins[at], tally)


def _minutes(events: Columns, counted: _Counted, pane: Ints) -> Iterator[FacetGain]:
    """Events lie in the order of (entity, pane), so those of a minute lie together, too."""
    minute = pane // (MINUTE_S // PANE_S)
    changes = (np.diff(minute, prepend=-1) != 0) | (np.diff(events.entity, prepend=-1) != 0)
    starts = np.flatnonzero(changes)
    group, groups = _group_of(events.events, starts), len(starts)
    by_class = group * len(CLASSES) + counted.status_class - CLASSES[0]
    counts = np.bincount(by_class, minlength=groups * len(CLASSES)).reshape(groups, len(CLASSES)).tolist()
    found = [Facets() for _ in range(groups)]
    for facets, requests in zip(found, counts, strict=True):
        facets.counts = requests
    _add_latencies(found, by_class, events, counted)
    _add_keys(found, group, events)
    _add_clients(found, group, events)
    entities, begins = events.entity[starts].tolist(), (minute[starts] * MINUTE_S).tolist()
    for at, facets in enumerate(found):
        yield FacetGain(events.entities[entities[at]], begins[at], facets)


def _add_latencies(found: list[Facets], by_class: Ints, events: Columns, counted: _Counted) -> None:
    """Few events are of another class than REST: only those are looked at."""
    chosen = np.flatnonzero(counted.measured & (counted.status_class != REST))
    if not len(chosen):
        return
    cells, group = np.unique(by_class[chosen], return_inverse=True)
    everything = np.ones(len(chosen), np.bool_)
    sketches = _sketches(group, counted.latency[chosen], events.latency_ms[chosen], everything, len(cells))
    for cell, sketch in zip(cells.tolist(), sketches, strict=True):
        found[cell // len(CLASSES)].add_latency(cell % len(CLASSES) + CLASSES[0], sketch)


def _add_keys(found: list[Facets], group: Ints, events: Columns) -> None:
    presented = events.key != 0
    if not presented.any():
        return
    width = len(events.keys)
    cells, requests = np.unique((group * width + events.key)[presented], return_counts=True)
    of_group: dict[int, dict[str, int]] = {}
    for cell, count in zip(cells.tolist(), requests.tolist(), strict=True):
        of_group.setdefault(cell // width, {})[events.keys[cell % width]] = count
    for at, keys in of_group.items():
        found[at].keys.update(keys)


def _add_clients(found: list[Facets], group: Ints, events: Columns) -> None:
    known = events.client >= 0
    if not known.any():
        return
    cells = np.unique((group * _HASH_SPACE + events.client)[known])
    groups, starts = np.unique(cells // _HASH_SPACE, return_index=True)
    hashes = (cells % _HASH_SPACE).tolist()
    ends = [*starts[1:].tolist(), len(hashes)]
    for at, first, end in zip(groups.tolist(), starts.tolist(), ends, strict=True):
        found[at].clients.update(hashes[first:end])


def _group_of(events: int, starts: Ints) -> Ints:
    """For each event the number of its group, where groups begin at `starts`."""
    begins = np.zeros(events, np.int64)
    begins[starts[1:]] = 1
    return np.cumsum(begins)


def _buckets_of(values_ms: Floats) -> Ints:
    """`sketch.bucket_of` of many values; 0 where there is nothing to take a logarithm of."""
    with np.errstate(invalid="ignore"):
        usable = (values_ms > MIN_MS) & (values_ms <= LATENCY_MAX_MS)
    logs = np.log(np.where(usable, values_ms, MIN_MS) / MIN_MS) * PER_LOG
    return np.where(usable, np.minimum(logs.astype(np.int64) + 1, BUCKETS - 1), 0)


def _sketches(group: Ints, bucket: Ints, values_ms: Floats, chosen: Flags, groups: int) -> list[Sketch]:
    """One per group, of the chosen values alone."""
    if not chosen.all():
        group, bucket, values_ms = group[chosen], bucket[chosen], values_ms[chosen]
    sums_us = np.zeros(groups, np.int64)
    np.add.at(sums_us, group, (values_ms * 1000.0 + 0.5).astype(np.int64))
    np.minimum(sums_us, SUM_MAX, out=sums_us)
    cells, counts = np.unique(group * BUCKETS + bucket, return_counts=True)
    ends = np.searchsorted(cells, np.arange(1, groups + 1) * BUCKETS)
    buckets, numbers = (cells % BUCKETS).tolist(), counts.tolist()
    made, first = [], 0
    for end, sum_us in zip(ends.tolist(), sums_us.tolist(), strict=True):
        made.append(Sketch(dict(zip(buckets[first:end], numbers[first:end], strict=True)), sum_us))
        first = end
    return made
