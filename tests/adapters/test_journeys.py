"""The store of journeys: long ranges from hours, and searches that find little go on page by page."""

import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from foregate.adapters.embedded import journeys_search
from foregate.adapters.embedded.journeys import EmbeddedJourneys
from foregate.ports.journeys import JourneyStep
from foregate.telemetry.journeys.service_map import edges, merged_latency
from foregate.telemetry.sketch import Sketch
from foregate.wire.journey import Call, CallMinute, JourneyAsk, Stored, Summary

T0_S = 1_700_000_100 // 3_600 * 3_600.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedJourneys]:
    made = EmbeddedJourneys(tmp_path / "journeys.sqlite", merged_latency)
    yield made
    made.close()


def minute(chance: random.Random, at: int) -> CallMinute:
    sketch = Sketch()
    for _ in range(chance.randrange(1, 9)):
        sketch.add(chance.uniform(1, 500))
    call = Call("default", "a", "aws", chance.choice(("b", "c")), "aws")
    return CallMinute(call, T0_S + 60 * at, sketch.count, chance.randrange(2), sketch.encode())


@pytest.mark.parametrize(("first", "last"), [(0, 300), (7, 293), (30, 45), (59, 61), (0, 60), (61, 118), (110, 130)])
def test_hours_and_minutes_say_what_all_minutes_say(store: EmbeddedJourneys, first: int, last: int) -> None:
    chance = random.Random(3)
    minutes = [minute(chance, at) for at in range(300) for _ in range(2)]
    for number in range(0, 600, 50):
        store.write(JourneyStep(number, {}, {}, calls=minutes[number : number + 50]))
    from_s, until_s = T0_S + 60 * first, T0_S + 60 * last
    told = store.calls("default", from_s, until_s)
    expected = [one for one in minutes if from_s <= one.start_s < until_s]
    assert edges(told, 60.0) == edges(expected, 60.0)
    if last - first >= 200:
        assert len(told) < len(expected) / 2
    assert store.calls("other", from_s, until_s) == []


def journey(number: int, service: str) -> Stored:
    who = ((service, "aws"), (service, "gcp"), ("everywhere", "aws"))
    named = (service, "aws", f"/{service}", f"GET {service}")
    return Stored(
        Summary("default", f"{number:032x}", T0_S + number, 1.0, *named, False, 1, "share", participants=who), ()
    )


@pytest.mark.parametrize("asked", [{"service": "rare"}, {"environment": "gcp", "service": "rare"}, {"route": "/rare"}])
def test_a_search_that_finds_little_ends_its_page_early_and_goes_on(
    store: EmbeddedJourneys, monkeypatch: pytest.MonkeyPatch, asked: dict[str, str]
) -> None:
    monkeypatch.setattr(journeys_search, "LOOKED_AT_MAX", 50)
    kept = [journey(number, "rare" if number % 150 == 0 else "often") for number in range(600)]
    store.write(JourneyStep(1, {}, {}, kept=kept))
    seen, cursor, pages = [], "", 0
    while True:
        found = store.search(JourneyAsk("default", 0, 9e9, **asked), 3, cursor)
        seen += [one.trace_id for one in found.found]
        pages += 1
        if not (cursor := found.cursor):
            break
    assert seen == [f"{number:032x}" for number in (450, 300, 150, 0)]
    assert pages >= 2


def test_a_journey_that_is_written_again_takes_the_place_of_itself(store: EmbeddedJourneys) -> None:
    store.write(JourneyStep(1, {}, {}, kept=[journey(1, "a")]))
    store.write(JourneyStep(2, {}, {}, kept=[journey(1, "b")]))
    assert [one.service for one in store.search(JourneyAsk("default", 0, 9e9), 10).found] == ["b"]
    assert store.search(JourneyAsk("default", 0, 9e9, service="a"), 10).found == []
    assert len(store.search(JourneyAsk("default", 0, 9e9, service="everywhere"), 10).found) == 1


def test_calls_alone_cannot_outgrow_the_bound(store: EmbeddedJourneys) -> None:
    chance = random.Random(5)
    for at in range(0, 600, 60):
        many = [minute(chance, at + n) for n in range(60)]
        calls = [
            CallMinute(Call("default", "a", "aws", f"peer-{n}-{'x' * 200}", ""), *msgspec.structs.astuple(each)[1:])
            for each in many
            for n in range(20)
        ]
        store.write(JourneyStep(at, {}, {}, calls=calls))
    full = store.bytes_used
    store.trim(full // 2)
    assert 0 < store.bytes_used <= full // 2
    newest = store.calls("default", T0_S, T0_S + 600 * 60)
    assert max(one.start_s for one in newest) == T0_S + 9 * 3_600  # the oldest went
    assert min(one.start_s for one in newest) > T0_S
