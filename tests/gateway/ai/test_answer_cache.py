"""The cache of answers: exact matches, replayed as they came, never across tenants, never what was cut off."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.gateway.ai.rig import HELLO, OTHER_KEY, AiWorld, ai_world
from tests.gateway.world import KEY, PEPPER, run

from foregate.gateway.ai import attempt
from foregate.gateway.ai.answer_cache import ENTRY_BYTES, PIECE_BYTES, AnswerCache, cacheable, key_of
from foregate.gateway.ai.formats import FORMATS
from foregate.gateway.policies.policy import Consumer
from foregate.kernel.secrets import hash_key
from foregate.lab.providers.script import Script
from foregate.wire.ai import AnswerCache as Settings
from foregate.wire.ai import TokenLimit
from foregate.wire.policies import ApiKeySource, Policies
from foregate.wire.snapshot import Key

SAME: dict[str, Any] = {"model": "gpt-5", "messages": HELLO, "temperature": 0}


async def ask(ai: AiWorld, key: str = KEY, path: str = "/v1/chat/completions", **more: Any) -> tuple[Any, bytes]:
    status, answer, body = await ai.post(path, SAME | more, key=key)
    assert status == 200
    return answer.header("x-cache"), body


def test_the_same_request_is_answered_without_a_provider_and_costs_nothing() -> None:
    async def main() -> None:
        policies = Policies(api_key=ApiKeySource(bearer=True), token_limits=(TokenLimit(quota=10_000, period="day"),))
        async with ai_world(answer_cache=Settings(), policies=policies) as ai:
            first, second = await ask(ai), await ask(ai)
            assert (first[0], second[0]) == (None, "HIT")
            assert first[1] == second[1]
            assert len(ai.openai.asked) == 1
            miss, hit = ai.world.sink.events
            assert (miss.cache, hit.cache) == ("miss", "hit")
            assert hit.ai is not None
            assert (hit.ai.input_tokens, hit.ai.output_tokens, hit.ai.cost) == (0, 0, 0.0)
            assert (hit.ai.attempts, hit.ai.answered_by, hit.service) == ("cache:hit", "gpt-5", "openai")

    run(main)


def test_a_stream_is_replayed_as_a_stream_to_the_real_client() -> None:
    async def main() -> None:
        async with ai_world(Script(pace_s=0.005), answer_cache=Settings()) as ai, ai.client() as client:
            seen = []
            for _ in range(2):
                stream = await client.chat.completions.create(**SAME, stream=True)
                seen.append([chunk.choices[0].delta.content async for chunk in stream])
            assert seen[0] == seen[1]
            assert len(seen[1]) > 4
            assert len(ai.openai.asked) == 1

    run(main)


def test_every_difference_is_another_request() -> None:
    async def main() -> None:
        async with ai_world(answer_cache=Settings()) as ai:
            await ask(ai)
            for more in ({"stream": True}, {"seed": 1}, {"user": "a"}, {"temperature": 0.0, "top_p": 0.5}):
                assert (await ask(ai, **more))[0] is None
            assert (await ask(ai, messages=[{"role": "user", "content": "Say hello!"}]))[0] is None
            assert (await ask(ai, temperature=0.7))[0] is None
            assert (await ask(ai, temperature=0.7))[0] is None  # not deterministic: never kept
            assert (await ask(ai))[0] == "HIT"

    run(main)


def test_a_conversation_that_the_provider_remembers_is_never_answered_from_memory() -> None:
    async def main() -> None:
        async with ai_world(answer_cache=Settings(when="always")) as ai:
            for _ in range(2):
                await ai.post("/v1/responses", {"model": "gpt-5", "input": "Go on.", "conversation": "conv_1"})
            assert len(ai.openai.asked) == 2

    run(main)


def test_what_was_cut_off_or_failed_is_never_kept() -> None:
    async def main() -> None:
        for broken in ("aborted", "truncated", "malformed", "error"):
            script = Script(broken_at=2, broken=broken, pace_s=0.002)  # type: ignore[arg-type]
            async with ai_world(script, answer_cache=Settings()) as ai:
                await ask(ai, stream=True)
                ai.openai.script = Script()
                assert (await ask(ai, stream=True))[0] is None
                assert (await ask(ai, stream=True))[0] == "HIT"

    run(main)


@pytest.mark.parametrize(
    ("path", "model", "until", "last"),
    [
        ("/v1/chat/completions", "gpt-5", b'"finish_reason":"stop"', b"data: [DONE]\n\n"),
        ("/v1/chat/completions", "claude", b"world", b"data: [DONE]\n\n"),
        ("/v1/messages", "claude", b"message_delta", b"message_stop"),
        ("/v1/messages", "gpt-5", b"world", b"message_stop"),
    ],
)
def test_a_stream_whose_client_left_before_its_last_event_is_not_kept(
    path: str, model: str, until: bytes, last: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "END_GRACE_S", 60.0)

    async def main() -> None:
        script = (Script(pace_s=0.01, lingers_s=60.0), Script())
        async with ai_world(script, script, answer_cache=Settings(when="always")) as ai:
            body = {"model": model, "messages": HELLO, "stream": True, "max_tokens": 50}
            asked = msgspec.json.encode(body)
            head = f"POST /ai{path} HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-length: {len(asked)}\r\n"
            reader, writer = await asyncio.open_connection("127.0.0.1", ai.world.port)
            writer.write(head.encode() + b"content-type: application/json\r\n\r\n" + asked)
            got = b""
            async with asyncio.timeout(5.0):
                while until not in got:
                    got += await reader.read(65_536)
                await asyncio.sleep(0.2)  # the last event comes, and is held
                writer.transport.abort()
                while not ai.world.sink.events:
                    await asyncio.sleep(0.005)
            assert last not in got
            assert (ai.world.event.status, ai.world.event.error) == (499, "client_closed")
            assert (ai.used.input_tokens, ai.used.output_tokens, ai.used.estimated) == (11, 4, False)  # it was made
            _, answer, whole = await ai.post(path, body)
            assert answer.header("x-cache") != "HIT"
            assert last in whole

    run(main)


def test_keys_and_orgs_share_only_what_the_route_says() -> None:
    mate = "fg_test_of_a_mate_1234"
    keys = (
        Key("one", "one", hash_key(KEY, PEPPER), org="acme"),
        Key("mate", "mate", hash_key(mate, PEPPER), org="acme"),
        Key("other", "other", hash_key(OTHER_KEY, PEPPER), org="globex"),
    )

    async def main() -> None:
        for share, hits in (("key", (None, None)), ("org", ("HIT", None)), ("public", ("HIT", "HIT"))):
            async with ai_world(answer_cache=Settings(share=share), keys=keys) as ai:  # type: ignore[arg-type]
                await ask(ai)
                assert ((await ask(ai, mate))[0], (await ask(ai, OTHER_KEY))[0]) == hits

    run(main)


def test_who_has_no_org_shares_with_nobody() -> None:
    """Tokens without the claim, signatures and certificates are of clients that may know nothing of each other."""
    asked = FORMATS["openai-chat"].read(msgspec.json.encode(SAME))
    one, other = (
        key_of(_Asked(Consumer(name), "127.0.0.1", {}), asked, Settings(share="org"))  # type: ignore[arg-type]
        for name in ("jwt:ada", "jwt:bob")
    )
    assert one != other


class _Asked:
    """As much of a request as the key of an answer goes by."""

    def __init__(self, consumer: Consumer, client: str, headers: dict[bytes, bytes]) -> None:
        self.consumer, self.client, self._headers = consumer, client, headers

    def header(self, name: bytes) -> bytes | None:
        return self._headers.get(name)


_TEXT = st.text(max_size=4)
_HEADERS = st.dictionaries(
    st.sampled_from([b"x-api-key", b"authorization", b"anthropic-beta", b"openai-organization", b"x-org", b"cookie"]),
    st.binary(max_size=6),
)
_TENANT = st.builds(Consumer, _TEXT, st.sampled_from(["", "acme", "globex"]))


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(_TENANT, _TENANT, _TEXT, _TEXT, _HEADERS, _HEADERS, st.sampled_from(["key", "org"]))
def test_two_tenants_never_share_whatever_headers_they_send(
    one: Consumer, other: Consumer, ip: str, other_ip: str, headers: Any, other_headers: Any, share: Any
) -> None:
    asked = FORMATS["openai-chat"].read(msgspec.json.encode(SAME))
    keys = [
        key_of(_Asked(consumer, client, sent), asked, Settings(share=share))  # type: ignore[arg-type]
        for consumer, client, sent in ((one, ip, headers), (other, other_ip, other_headers))
    ]
    if share == "org" and one.id and other.id and (one.org or other.org):
        same = one.org == other.org
    else:
        same = (one.id, one.org if one.id else ip) == (other.id, other.org if other.id else other_ip)
    if not same:
        assert keys[0] != keys[1]
    elif headers == other_headers:
        assert keys[0] == keys[1]


def test_it_stays_within_its_bytes_and_forgets_what_was_used_longest_ago() -> None:
    entry = ENTRY_BYTES + PIECE_BYTES + 100
    cache = AnswerCache(Settings(bytes_max=10 * entry, answer_bytes_max=200, ttl_s=10.0))
    for number in range(30):
        cache.keep(b"%d" % number, (b"x" * 100,), 0.0, "s", "m", "stop")
        cache.find(b"0", 1.0)
        assert cache.size <= 10 * entry
    assert cache.find(b"0", 1.0) is not None
    assert cache.find(b"1", 1.0) is None
    cache.keep(b"large", (b"x" * 201,), 0.0, "s", "m", "stop")
    assert cache.find(b"large", 1.0) is None
    assert cache.find(b"0", 10.0) is None  # its time is over
    assert not cacheable(FORMATS["openai-chat"].read(msgspec.json.encode(SAME | {"temperature": 1})), Settings())
