"""The live stream on real sockets, and its hub."""

import asyncio
import itertools
import time
from pathlib import Path
from random import Random

import pytest
from tests.control.test_findings_api import risk
from tests.control.world import console, make_event, world

from foregate.control.api.risks import risks_out
from foregate.control.live.hub import QUEUE_MESSAGES_MAX, SUBSCRIBERS_MAX, Hub, Message
from foregate.control.live.producer import substance
from foregate.kernel.clock import SystemClock
from foregate.kernel.errors import ForegateError

AT_ONCE = {"status", "metrics", "risks", "alerts", "anomalies"}


def test_a_subscriber_gets_everything_at_once_and_what_changes_after(tmp_path: Path) -> None:
    with world(tmp_path, SystemClock()) as here, console(here.deps()) as served, served.stream() as stream:
        assert stream.status == 200
        assert set(stream.until(AT_ONCE)) >= AT_ONCE
        now_s = time.time()
        here.findings.put_risks([risk("payments", now_s, 0.93)])
        here.feed([make_event(Random(1), "ai", now_s, 12.5)])
        found: dict[str, object] = {}
        for name, data in stream.events():
            if name == "risks" and data["risks"]:
                found["score"] = data["risks"][0]["score"]
            elif name == "events":
                found["latency"] = data["events"][0]["latency_ms"]
            elif name == "metrics" and data["summary"]["requests"]:
                found["requests"] = data["summary"]["requests"]
            if len(found) == 3:
                break
        assert found == {"score": 0.93, "latency": 12.5, "requests": 1}


def test_the_live_tail_of_events_carries_only_events(tmp_path: Path) -> None:
    with (
        world(tmp_path, SystemClock()) as here,
        console(here.deps()) as served,
        served.stream() as page,
        served.stream("/api/v1/events") as tail,
    ):
        page.until(AT_ONCE)  # the producer has set the tail's place
        here.feed([make_event(Random(1), "search", time.time(), 3.0)])
        name, data = next(tail.events())
        assert name == "events"
        assert [event["entity"]["service"] for event in data["events"]] == ["search"]


def test_all_subscribers_share_one_producer(tmp_path: Path) -> None:
    with world(tmp_path, SystemClock()) as here:
        deps = here.deps()
        asked = []
        real = deps.telemetry

        class Counting:
            def __getattr__(self, name: str) -> object:
                if name == "tail":
                    asked.append(name)
                return getattr(real, name)

        with (
            console(here.deps(telemetry=Counting())) as served,
            served.stream() as one,
            served.stream() as two,
            served.stream() as three,
        ):
            for stream in (one, two, three):
                assert set(stream.until(AT_ONCE)) >= AT_ONCE
            assert asked == ["tail"]


def test_a_failing_source_leaves_the_other_messages_coming_and_is_logged_once(tmp_path: Path) -> None:
    with world(tmp_path, SystemClock()) as here, console(here.deps()) as served:
        here.findings.close()
        with served.stream() as stream:
            metrics = [data for name, data in itertools.islice(stream.events(), 3) if name == "metrics"]
        assert len(metrics) >= 2
        failed = [call.kwargs["source"] for call in here.log.calls if call.args == ("live_source_failed",)]
        assert sorted(failed) == ["alerts", "anomalies", "risks", "status"]


def test_stopping_ends_open_streams_with_a_word_instead_of_hanging(tmp_path: Path) -> None:
    with world(tmp_path, SystemClock()) as here:
        with console(here.deps()) as served:
            opened = served.stream()
            stream = opened.__enter__()
            stream.until(AT_ONCE)
        began = [name for name, _ in stream.events()]
        opened.__exit__(None, None, None)
        assert began[-1] == "closing"


def test_a_slow_subscriber_is_dropped_with_notice_and_others_go_on() -> None:
    async def scenario() -> None:
        hub = Hub()
        with hub.subscribe() as slow, hub.subscribe() as quick:
            for number in range(QUEUE_MESSAGES_MAX + 1):
                hub.publish(Message("metrics", b"%d" % number))
                assert (await quick.queue.get()) == Message("metrics", b"%d" % number)
            assert hub.dropped == 1
            assert hub.subscribers == 1
            left = [slow.queue.get_nowait() for _ in range(slow.queue.qsize())]
            assert [message and message.name for message in left] == ["dropped", None]

    asyncio.run(scenario())


def test_memory_for_subscribers_is_bounded() -> None:
    async def scenario() -> None:
        hub = Hub()
        contexts = [hub.subscribe() for _ in range(SUBSCRIBERS_MAX)]
        for context in contexts:
            context.__enter__()
        with pytest.raises(ForegateError, match="overloaded"), hub.subscribe():
            pass
        contexts[0].__exit__(None, None, None)
        with hub.subscribe():
            pass
        assert hub.subscribers == SUBSCRIBERS_MAX - 1

    asyncio.run(scenario())


def test_a_new_subscriber_gets_the_newest_of_each_but_no_old_events() -> None:
    async def scenario() -> None:
        hub = Hub()
        with hub.subscribe():
            hub.publish(Message("risks", b"1"))
            hub.publish(Message("risks", b"2"))
            hub.publish(Message("events", b"3"), keep=False)
            with hub.subscribe() as late:
                assert late.queue.get_nowait() == Message("risks", b"2")
                assert late.queue.empty()
            with hub.subscribe(frozenset({"alerts"})) as narrow:
                assert narrow.queue.empty()

    asyncio.run(scenario())


def test_the_same_news_is_not_sent_twice_only_because_time_passed() -> None:
    found = [risk("ai", 100.0, 0.5)]
    assert substance(risks_out(found, 101.0, 0.8)) == substance(risks_out(found, 102.0, 0.8))
    assert substance(risks_out(found, 101.0, 0.8)) != substance(risks_out(found, 200.0, 0.8))  # now it is stale
