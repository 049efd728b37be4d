"""Blocks at the gateway: who is refused, with what answer, until when, and who never is."""

import msgspec
import pytest
from tests.gateway.world import KEY, gateway, route, run, service, talk, upstream
from tests.http2.asking import asking

from foregate.gateway.blocked import Blocked
from foregate.kernel.clock import ManualClock, SystemClock
from foregate.wire.abuse import Abuse
from foregate.wire.verdicts import Block, Verdicts, address_subject, decode_verdicts, encode_verdicts

NOW_S = ManualClock().now()
BLOCKING = Abuse(mode="block", allow_networks=("10.0.0.0/8",), allow_keys=("k-allowed",))


def block(subject: str, until_s: float = NOW_S + 60.0, rule: str = "sweep") -> Block:
    return Block(subject, until_s, "40 paths that are not there", rule, 1, NOW_S, f"blk_{subject}")


def blocked(clock: ManualClock, *blocks: Block, settings: Abuse = BLOCKING) -> Blocked:
    made = Blocked(clock.now)
    made.follow(blocks, settings)
    return made


@pytest.mark.parametrize(
    ("address", "subject"),
    [
        ("192.0.2.1", "ip:192.0.2.1"),
        ("::ffff:192.0.2.1", "ip:192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "ip:2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "ip:2001:db8:1:2::/64"),
        ("fe80::1%eth0", "ip:fe80::/64"),
        ("", ""),
        ("unix:", ""),
    ],
)
def test_a_client_is_an_ipv4_address_or_an_ipv6_network(address: str, subject: str) -> None:
    assert address_subject(address) == subject


def test_an_ipv6_client_cannot_change_its_way_around_a_block() -> None:
    found = blocked(ManualClock(), block("ip:2001:db8:1:2::/64"))
    assert found.of_address("2001:db8:1:2::1") is not None
    assert found.of_address("2001:db8:1:2:ffff::9") is not None
    assert found.of_address("2001:db8:1:3::1") is None


def test_a_block_ends_by_itself_and_nothing_is_left_to_ask() -> None:
    clock = ManualClock()
    found = blocked(clock, block("ip:192.0.2.1"), block("key:a"))
    refusal = found.of_address("192.0.2.1")
    assert refusal is not None
    assert (refusal.code, refusal.lines) == ("blocked", b"retry-after: 60\r\n")
    clock.advance(59.5)
    assert found.of_key("a") is not None
    clock.advance(0.5)
    assert found.of_key("a") is None
    assert found.in_force() == 0
    assert (found.addresses, found.keys) == ({}, {})


def test_the_allow_list_wins_over_every_block() -> None:
    found = blocked(ManualClock(), block("ip:10.1.2.3"), block("key:k-allowed"), block("ip:192.0.2.1", rule="manual"))
    assert found.of_address("10.1.2.3") is None
    assert found.of_key("k-allowed") is None
    assert found.of_address("192.0.2.1") is not None


@pytest.mark.parametrize("mode", ["off", "observe"])
def test_unless_it_is_to_block_only_blocks_by_hand_count(mode: str) -> None:
    settings = msgspec.structs.replace(BLOCKING, mode=mode)
    found = blocked(ManualClock(), block("ip:192.0.2.1"), block("key:a", rule="manual"), settings=settings)
    assert found.of_address("192.0.2.1") is None
    assert found.of_key("a") is not None


def test_the_file_says_what_was_meant() -> None:
    verdicts = Verdicts(7, (block("key:a"),))
    assert decode_verdicts(encode_verdicts(verdicts)) == verdicts


def test_a_blocked_address_is_refused_before_anything_is_asked() -> None:
    async def main() -> None:
        async with (
            upstream() as (reached, port),
            gateway([service(port)], abuse=Abuse(mode="block", allow_networks=())) as world,
        ):
            until_s = SystemClock().now() + 30.0
            world.gateway.verdicts(Verdicts(1, (block("ip:127.0.0.1", until_s),)))
            answer = await talk(
                world.port, b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi"
            )
            assert answer.startswith(b"HTTP/1.1 403 ")
            assert b"\r\nretry-after: 30\r\n" in answer
            assert b'"code": "blocked"' in answer
            assert b"paths" not in answer  # the reason is nobody's business
            event = world.event
            assert (event.status, event.error, event.policies) == (403, "blocked", "blocked:refused")
            assert (event.client, event.path, event.route) == ("127.0.0.1", "/x", "")
            assert reached.requests == []
            health = await talk(world.port, b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            assert health.startswith(b"HTTP/1.1 200 ")  # nobody takes the gateway for dead because he is blocked
            metrics = await talk(world.port, b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            assert b'foregate_errors_total{code="blocked"} 1\n' in metrics
            world.gateway.verdicts(Verdicts(2))
            answer = await talk(world.port, b"GET /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 ")

    run(main)


def test_over_http2_a_block_holds_on_the_connection_that_is_open() -> None:
    async def main() -> None:
        async with (
            upstream() as (reached, port),
            gateway([service(port)], abuse=Abuse(mode="block", allow_networks=())) as world,
            asking(world.port) as client,
        ):
            assert (await client.ask("/x")).status == 200
            world.gateway.verdicts(Verdicts(1, (block("ip:127.0.0.1", SystemClock().now() + 30.0),)))
            refused = await client.ask("/x", "POST", body=b"hello")
            assert (refused.status, refused.headers[b"retry-after"]) == (403, b"30")
            assert len(reached.requests) == 1
            world.gateway.verdicts(Verdicts(2))
            assert (await client.ask("/x")).status == 200

    run(main)


def test_a_blocked_key_is_refused_and_the_others_are_not() -> None:
    request = b"GET /x HTTP/1.1\r\nhost: a\r\nx-api-key: %s\r\nconnection: close\r\n\r\n"

    async def main() -> None:
        settings = Abuse(mode="block", allow_networks=())
        async with (
            upstream() as (reached, port),
            gateway([service(port)], [route("/")], abuse=settings) as world,
        ):
            until_s = SystemClock().now() + 30.0
            world.gateway.verdicts(Verdicts(1, (block("key:key_demo", until_s),)))
            answer = await talk(world.port, request % KEY.encode())
            assert answer.startswith(b"HTTP/1.1 403 ")
            assert b'"code": "blocked"' in answer
            assert (world.event.error, world.event.key_id, world.event.route) == ("blocked", "key_demo", "/")
            assert (await talk(world.port, request % b"fg_wrong_0123456789")).startswith(b"HTTP/1.1 401 ")
            assert reached.requests == []
            world.gateway.verdicts(Verdicts(2, (block("key:another", until_s),)))
            assert (await talk(world.port, request % KEY.encode())).startswith(b"HTTP/1.1 200 ")

    run(main)


def test_a_reload_that_allows_a_client_frees_it_at_once() -> None:
    async def main() -> None:
        async with (
            upstream() as (_, port),
            gateway([service(port)], abuse=Abuse(mode="block", allow_networks=())) as world,
        ):
            ask = b"GET /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
            world.gateway.verdicts(Verdicts(1, (block("ip:127.0.0.1", SystemClock().now() + 30.0),)))
            assert (await talk(world.port, ask)).startswith(b"HTTP/1.1 403 ")
            before = world.gateway._table.snapshot
            await world.gateway.apply(msgspec.structs.replace(before, version="b", abuse=Abuse(mode="block")))
            assert (await talk(world.port, ask)).startswith(b"HTTP/1.1 200 ")

    run(main)
