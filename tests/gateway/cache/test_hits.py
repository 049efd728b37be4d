"""What is stored is given: whole, in part, as HEAD, as 304; and what a client's directives make of that."""

import asyncio

import msgspec
import pytest
from tests.gateway.cache.origin import Asked, Later, Said, cached, get, parsed
from tests.gateway.world import refusing_port, route, run, service, target

from foregate.wire.cache import Cache
from foregate.wire.policies import Cors, Fallback, ResponseTransform

FRESH = ["cache-control: max-age=60", 'etag: "a"', "last-modified: Sun, 06 Nov 1994 08:49:37 GMT"]


def fresh(asked: Asked) -> Said:
    return Said(b"body %d" % asked.number, FRESH)


def test_a_stored_answer_is_given_without_asking() -> None:
    async def main() -> None:
        async with cached(fresh) as (world, origin):
            first, second = await get(world.port, "/a"), await get(world.port, "/a")
            other = await get(world.port, "/a?x=1")
            assert (first.body, second.body, other.body) == (b"body 1", b"body 1", b"body 2")
            assert (first.cache, second.cache) == ("MISS", "HIT")
            assert first.said.startswith("foregate; fwd=uri-miss; fwd-status=200; stored; ttl=")
            assert second.said.startswith("foregate; hit; ttl=")
            assert int(second.headers["age"]) >= 0
            assert second.headers["date"] == first.headers["date"]
            assert second.headers["x-request-id"] != first.headers["x-request-id"]
            assert origin.count == 2
            events = world.sink.events
            assert [event.cache for event in events] == ["miss", "hit", "miss"]
            assert [event.attempts for event in events] == [1, 0, 1]
            assert events[1].policies == "cache:answered"
            assert events[1].response_bytes == len(b"body 1")

    run(main)


def test_a_connection_is_kept_over_hits_and_misses_in_a_pipeline() -> None:
    async def main() -> None:
        async with cached(fresh) as (world, origin):
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            ask = b"GET /a HTTP/1.1\r\nhost: h\r\n\r\n"
            writer.write(ask * 3 + ask.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
            data = await reader.read()
            writer.close()
            assert data.count(b"HTTP/1.1 200 OK") == 4
            assert data.count(b"body 1") == 4
            assert origin.count == 1

    run(main)


def test_head_and_ranges_and_conditions_are_answered_from_a_whole_answer() -> None:
    async def main() -> None:
        async with cached(fresh) as (world, origin):
            await get(world.port, "/a")
            head = await get(world.port, "/a", method="HEAD")
            assert (head.status, head.body, head.headers["content-length"], head.cache) == (200, b"", "6", "HIT")
            part = await get(world.port, "/a", ["range: bytes=1-2"])
            assert (part.status, part.body, part.headers["content-range"]) == (206, b"od", "bytes 1-2/6")
            beyond = await get(world.port, "/a", ["range: bytes=9-"])
            assert (beyond.status, beyond.body, beyond.headers["content-range"]) == (416, b"", "bytes */6")
            whole = await get(world.port, "/a", ["range: bytes=1-2", 'if-range: "b"'])
            assert (whole.status, whole.body) == (200, b"body 1")
            for condition in ('if-none-match: "a"', "if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT"):
                same = await get(world.port, "/a", [condition])
                assert (same.status, same.body, same.headers["etag"]) == (304, b"", '"a"')
                assert "content-length" not in same.headers
            other = await get(world.port, "/a", ['if-none-match: "b"'])
            assert (other.status, other.cache) == (200, "HIT")
            assert origin.count == 1

    run(main)


def test_a_conditional_request_that_misses_fetches_all_of_it() -> None:
    async def main() -> None:
        async with cached(fresh) as (world, origin):
            same = await get(world.port, "/a", ['if-none-match: "a"'])
            assert (same.status, same.body, same.cache) == (304, b"", "MISS")
            assert "if-none-match" not in origin.asked[0].headers
            assert (await get(world.port, "/a")).body == b"body 1"
            assert origin.count == 1

    run(main)


def test_head_and_range_that_miss_are_passed_on_and_not_stored() -> None:
    async def main() -> None:
        async with cached(fresh) as (world, origin):
            assert (await get(world.port, "/a", method="HEAD")).cache == "MISS"
            await get(world.port, "/a", ["range: bytes=0-1"])
            assert [(asked.method, asked.headers.get("range")) for asked in origin.asked] == [
                ("HEAD", None),
                ("GET", "bytes=0-1"),
            ]
            assert (await get(world.port, "/a")).cache == "MISS"
            assert [event.cache for event in world.sink.events] == ["miss"] * 3

    run(main)


@pytest.mark.parametrize(
    ("field", "outcome"),
    [
        ("cache-control: no-store", "bypass"),
        ("cache-control: no-cache", "miss"),
        ("cache-control: max-age=0", "miss"),
        ("pragma: no-cache", "miss"),
        ("cache-control: max-age=3600", "hit"),
        ("cache-control: min-fresh=3600", "miss"),
        ("cache-control: only-if-cached", "hit"),
        ("if-match: *", "bypass"),
        ("x-http-method-override: DELETE", "bypass"),
    ],
)
def test_a_clients_directives_are_heeded(field: str, outcome: str) -> None:
    async def main() -> None:
        async with cached(lambda asked: Said(b"x", ["cache-control: max-age=60"])) as (world, _):
            await get(world.port, "/a")
            await get(world.port, "/a", [field])
            assert world.sink.events[1].cache == outcome

    run(main)


def test_a_clients_directives_may_be_ignored() -> None:
    async def main() -> None:
        async with cached(fresh, Cache(request_directives=False)) as (world, _):
            await get(world.port, "/a")
            assert (await get(world.port, "/a", ["cache-control: no-cache"])).cache == "HIT"
            assert (await get(world.port, "/b", ["cache-control: only-if-cached"])).status == 200

    run(main)


def test_only_if_cached_is_504_where_nothing_is() -> None:
    async def main() -> None:
        async with cached(fresh) as (world, origin):
            got = await get(world.port, "/a", ["cache-control: only-if-cached"])
            assert (got.status, origin.count, world.event.error) == (504, 0, "not_cached")
            assert (got.cache, world.event.cache) == ("MISS", "miss")

    run(main)


def test_each_variant_is_for_those_it_is_for() -> None:
    def by_language(asked: Asked) -> Said:
        language = asked.headers.get("accept-language", "")
        return Said(language.encode(), ["cache-control: max-age=60", "vary: accept-language"])

    async def main() -> None:
        async with cached(by_language) as (world, origin):
            for _ in range(2):
                for language in ("de", "en"):
                    assert (await get(world.port, "/a", [f"accept-language: {language}"])).body == language.encode()
            assert (await get(world.port, "/a")).body == b""
            assert origin.count == 3
            assert "fwd=vary-miss" in (await get(world.port, "/a", ["accept-language: fr"])).said

    run(main)


def test_answers_pass_what_the_route_does_with_them_for_each_client() -> None:
    async def main() -> None:
        policies = {
            "cors": Cors(origins=("https://a.example", "https://b.example")),
            "response_transform": ResponseTransform(set_headers={"x-id": "${request.id}"}),
        }
        own = [route("/", auth=(), cache=Cache(), **policies)]
        async with cached(fresh, routes=own) as (world, origin):
            for name in ("a", "b", "a"):
                got = await get(world.port, "/a", [f"origin: https://{name}.example"])
                assert got.headers["access-control-allow-origin"] == f"https://{name}.example"
                assert got.headers["x-id"] == got.headers["x-request-id"]
            assert origin.count == 1

    run(main)


def test_a_write_that_succeeds_makes_what_is_stored_void() -> None:
    def script(asked: Asked) -> Said:
        if asked.method == "GET":
            return fresh(asked)
        return Said(b"", ["location: /made"], 201 if asked.target == "/a" else 500)

    async def main() -> None:
        async with cached(script) as (world, _):
            for path in ("/a", "/made", "/b"):
                await get(world.port, path)
            await get(world.port, "/a", method="POST", body=b"x")
            await get(world.port, "/b", method="PUT", body=b"x")
            assert [(await get(world.port, path)).cache for path in ("/a", "/made", "/b")] == ["MISS", "MISS", "HIT"]
            assert [event.cache for event in world.sink.events][3:5] == ["bypass", "bypass"]

    run(main)


def test_what_is_not_to_be_stored_is_not() -> None:
    answers = [
        Said(b"x", ["cache-control: no-store"]),
        Said(b"x", ["cache-control: private, max-age=60"]),
        Said(b"x", ["cache-control: max-age=60", "set-cookie: a=1"]),
        Said(b"x", ["cache-control: max-age=60", "vary: *"]),
        Said(b"x", ["cache-control: max-age=60", "content-range: bytes 0-0/9"], 206),
        Said(b"x"),
        Said(b"x", ['etag: "a"'], 502),
    ]

    async def main() -> None:
        async with cached(lambda asked: answers[int(asked.target[1:])]) as (world, _):
            for number in range(len(answers)):
                said = [(await get(world.port, f"/{number}")) for _ in range(2)]
                assert [got.cache for got in said] == ["MISS", "MISS"], number
                assert "detail=" in said[0].said

    run(main)


def test_failures_are_kept_as_long_as_the_route_says() -> None:
    clock = Later()

    async def main() -> None:
        settings = Cache(negative={"404": 10})
        async with cached(lambda asked: Said(b"", (), 404), settings, clock=clock) as (world, origin):
            assert [(await get(world.port, "/a")).cache for _ in range(2)] == ["MISS", "HIT"]
            clock.ahead_s = 11.0
            assert (await get(world.port, "/a")).cache == "MISS"
            assert origin.count == 2

    run(main)


def test_paths_that_are_not_there_are_not_asked_for_again_and_again() -> None:
    state = {"there": False}

    def script(asked: Asked) -> Said:
        return Said(b"now") if state["there"] or asked.method == "PUT" else Said(b"", (), 404)

    async def main() -> None:
        async with cached(script, Cache(not_found_filter=True)) as (world, origin):
            assert [(await get(world.port, "/a")).cache for _ in range(4)] == ["MISS", "MISS", "HIT", "HIT"]
            assert origin.count == 2
            state["there"] = True
            await get(world.port, "/a", method="PUT", body=b"x")
            assert (await get(world.port, "/a")).body == b"now"

    run(main)


def test_a_clock_that_is_set_back_makes_nothing_fresh_for_ever() -> None:
    clock = Later()

    async def main() -> None:
        async with cached(lambda asked: Said(b"x", ["cache-control: max-age=60"]), clock=clock) as (world, _):
            await get(world.port, "/a")
            clock.ahead_s = -3_600.0
            assert (await get(world.port, "/a")).cache == "MISS"

    run(main)


def test_parameters_that_make_no_difference_make_none() -> None:
    async def main() -> None:
        settings = Cache(query_ignore=("utm_*", "ref"), query_sort=True)
        async with cached(fresh, settings) as (world, origin):
            await get(world.port, "/a?b=1&a=2&utm_source=x")
            assert (await get(world.port, "/a?ref=7&a=2&b=1")).cache == "HIT"
            assert (await get(world.port, "/a?a=2&b=2")).cache == "MISS"
            assert origin.asked[0].target == "/a?b=1&a=2&utm_source=x"

    run(main)


@pytest.mark.parametrize("means", ["write", "purge"])
def test_what_makes_no_difference_makes_none_to_what_is_void(means: str) -> None:
    async def main() -> None:
        async with cached(fresh, Cache(query_ignore=("ref",), query_sort=True)) as (world, _):
            await get(world.port, "/a?b=1&a=2&ref=7")
            if means == "write":
                assert (await get(world.port, "/a?a=2&b=1", method="PUT", body=b"x")).status == 200
            else:
                kept = world.gateway._kept
                assert kept is not None
                kept.store.purge("url", "/a?a=2&b=1")
            assert (await get(world.port, "/a?a=2&b=1")).cache == "MISS"

    run(main)


def test_the_answer_of_a_fallback_is_not_kept_in_the_services_place() -> None:
    async def main() -> None:
        own = [route("/", auth=(), cache=Cache(), fallback=Fallback(service="spare"))]
        async with cached(
            fresh, routes=own, services=[service(refusing_port()), service(refusing_port(), name="spare")]
        ) as (
            world,
            origin,
        ):
            snapshot = world.gateway._table.snapshot
            spare = service(targets=[target(origin.port)], name="spare")
            changed = msgspec.structs.replace(snapshot, services=(snapshot.services[0], spare), version="1")
            await world.gateway.apply(changed)
            assert [(await get(world.port, "/a")).body for _ in range(2)] == [b"body 1", b"body 2"]

    run(main)


def test_metrics_tell_hits_from_misses() -> None:
    async def main() -> None:
        async with cached(fresh) as (world, _):
            for _ in range(3):
                await get(world.port, "/a")
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(b"GET /metrics HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
            text = parsed(await reader.read()).body.decode()
            writer.close()
            assert 'foregate_cache_requests_total{service="svc",route="/",result="hit"} 2' in text
            assert 'foregate_cache_requests_total{service="svc",route="/",result="miss"} 1' in text

    run(main)
