"""Models asked over HTTP/2: many streams on one connection, one that is reset is billed what it was sent."""

import asyncio
import json

from tests.gateway.ai.rig import HELLO, ai_world
from tests.gateway.ai.test_billing import texts
from tests.gateway.world import KEY, run
from tests.http2.asking import asking

from foregate.gateway.ai.tokens import estimate
from foregate.lab.providers.script import Script

JSON = b"content-type", b"application/json"
BEARER = b"authorization", f"Bearer {KEY}".encode()


def test_many_streams_share_a_connection_and_a_reset_one_is_billed_what_it_was_sent() -> None:
    async def main() -> None:
        body = json.dumps({"model": "gpt-5", "messages": HELLO, "stream": True}).encode()
        silent = json.dumps({"model": "gpt-mini", "messages": HELLO, "stream": True}).encode()

        def script(asked: object) -> Script:
            mini = asked.document["model"] == "gpt-5-mini"  # type: ignore[attr-defined]
            return (
                Script(("word ",) * 8, broken_at=3, broken="silent") if mini else Script(("word ",) * 8, pace_s=0.005)
            )

        async with ai_world(script) as ai, asking(ai.world.port) as client:
            left = client.begin("/ai/v1/chat/completions", "POST", BEARER, JSON, end=False)
            client.send(left, silent, end=True)
            answers = await asyncio.gather(
                *[client.ask("/ai/v1/chat/completions", "POST", BEARER, JSON, body=body) for _ in range(20)]
            )
            assert ["".join(texts(answer.body)) for answer in answers] == ["word " * 8] * 20
            assert "".join(texts(client.answers[left].body)) == "word " * 3
            client.reset(left)
            async with asyncio.timeout(5.0):
                while len(ai.world.sink.events) < 21:
                    await asyncio.sleep(0.01)
            last = ai.world.sink.events[-1]
            assert (last.status, last.error, last.protocol) == (499, "client_closed", "h2")
            assert last.ai is not None
            assert (last.ai.output_tokens, last.ai.estimated) == (estimate("word " * 3), True)

    run(main)
