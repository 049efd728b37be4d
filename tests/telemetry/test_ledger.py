"""The ledger of AI traffic: every answered request once, whatever happens to the store."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.telemetry.making import T0, event
from tests.telemetry.test_consumer import FailingOnce, run_dry
from tests.telemetry.world import Stores

from foregate.kernel.clock import ManualClock
from foregate.telemetry.consumer import USAGE_RETENTION_S, Consumer
from foregate.telemetry.ledger import MODELS_MAX, OTHERS, ROWS_MAX, TOKENS_MAX, Ledger
from foregate.telemetry.windows import Windower
from foregate.wire.event import AiUsage, RequestEvent
from foregate.wire.usage import HOUR_S


def used(key: str = "k1", model: str = "m", tokens: tuple[int, int] = (10, 5), **more: object) -> RequestEvent:
    said = AiUsage(
        "chat", "openai", "alias", model, *tokens, 2, 0.25, bool(more.pop("estimated", False)), 1.0, 1.0, True, "stop"
    )
    return event(key_id=key, ai=said, **{"time_s": T0, **more})


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = Stores(tmp_path, ManualClock(T0 + 3_000))
    yield stores
    stores.close()


def test_what_was_used_is_added_up_by_what_is_asked_for(stores: Stores) -> None:
    stores.publish(
        [
            used(),
            used(estimated=True),
            used("k2", "n", (1, 1)),
            used(time_s=T0 + HOUR_S),
            used(tokens=(0, 0)),  # refused, failed or from the cache
            event(),
        ]
    )
    run_dry(stores.consumer())
    by_key = stores.series.usage("key", 0, T0 * 2)
    assert [(name, sums.requests, sums.estimated, sums.input_tokens) for name, sums in by_key.used] == [
        ("k1", 3, 1, 30),
        ("k2", 1, 0, 1),
    ]
    assert (by_key.total.requests, by_key.total.cost, by_key.total.cached_tokens) == (4, 1.0, 8)
    assert [name for name, _ in stores.series.usage("model", 0, T0 * 2).used] == ["openai/m", "openai/n"]
    hour_s = int(T0) // HOUR_S * HOUR_S
    hours = stores.series.usage("hour", 0, T0 * 2)
    assert [(name, sums.requests) for name, sums in hours.used] == [(str(hour_s), 3), (str(hour_s + HOUR_S), 1)]
    only = stores.series.usage("service", hour_s + 1, T0 * 2)
    assert [(name, sums.requests) for name, sums in only.used] == [("openai", 1)]
    assert len(stores.series.usage("key", 0, T0 * 2, rows_max=1).used) == 1


def test_a_store_that_fails_for_a_while_loses_nothing_and_counts_nothing_twice(stores: Stores) -> None:
    chance = random.Random(5)
    events = [used(f"k{chance.randrange(3)}", f"m{chance.randrange(2)}", (chance.randrange(99), 1)) for _ in range(300)]
    consumer = Consumer(stores.bus, FailingOnce(stores, failures=3), stores.series, Windower(), stores.clock)
    for part in range(6):
        stores.publish(events[part * 50 : part * 50 + 50], partition=part % 4)
        try:
            consumer.step()
        except OSError:
            assert part < 4
    run_dry(consumer)
    total = stores.series.usage("key", 0, T0 * 2).total
    assert (total.requests, total.output_tokens) == (300, 300)
    assert total.input_tokens == sum(each.ai.input_tokens for each in events if each.ai is not None)


def test_an_hour_has_as_many_rows_as_it_may_and_the_rest_is_added_up_together() -> None:
    ledger = Ledger()
    ledger.add(used(f"k{number}") for number in range(ROWS_MAX + 50))
    rows = ledger.drain()
    assert len(rows) == ROWS_MAX + 1
    assert (rows[-1].key.key_id, rows[-1].key.model, rows[-1].sums.requests) == ("", OTHERS, 50)
    ledger.add([used(model="one more")])
    assert ledger.drain()[0].key.model == OTHERS
    ledger.add([used(model="one more", time_s=T0 + 2 * HOUR_S)])
    assert ledger.drain()[0].key.model == "one more"
    assert ledger.drain() == []


def test_a_key_that_asks_for_models_without_end_is_added_up_by_itself_and_costs_no_other_its_rows() -> None:
    ledger = Ledger()
    ledger.add(used("greedy", model=f"m{number}") for number in range(ROWS_MAX + 50))
    ledger.add([used("other")])
    rows = {row.key: row.sums.requests for row in ledger.drain()}
    assert len(rows) == MODELS_MAX + 2
    assert sum(requests for key, requests in rows.items() if key.key_id == "greedy") == ROWS_MAX + 50
    assert [(key.model, requests) for key, requests in rows.items() if key.key_id == "other"] == [("m", 1)]


def test_what_is_older_than_its_retention_goes(stores: Stores) -> None:
    stores.publish([used()])
    run_dry(stores.consumer())
    assert stores.series.expire_usage(T0 - USAGE_RETENTION_S) == 0
    assert stores.series.expire_usage(T0 + 2 * HOUR_S) == 1
    assert stores.series.usage("key", 0, T0 * 2).used == []


def test_tokens_that_a_sender_makes_up_stop_nobody(stores: Stores) -> None:
    stores.publish([used(tokens=(1 << 53, 1 << 53)) for _ in range(2_000)])
    run_dry(stores.consumer())
    assert stores.series.usage("key", 0, T0 * 2).used[0][1].input_tokens == 2_000 * TOKENS_MAX


def test_what_others_tell_of_a_key_is_not_added_to_the_key_of_that_name_here(stores: Stores) -> None:
    stores.publish([used(), used(source="telemetry", org="rival")])
    run_dry(stores.consumer())
    assert sorted(name for name, _ in stores.series.usage("key", 0, T0 * 2).used) == ["k1", "rival/k1"]


def test_a_time_that_is_none_has_no_hour() -> None:
    ledger = Ledger()
    ledger.add(used(time_s=time_s) for time_s in (float("nan"), float("inf"), -1.0))
    assert ledger.drain() == []
