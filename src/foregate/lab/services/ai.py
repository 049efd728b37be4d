"""AI inference: answers are generated token by token by a Markov chain over the library, on few slots."""

import asyncio
from math import exp

from foregate.lab.model.call import Answer, Call
from foregate.lab.model.instance import Instance
from foregate.lab.model.service import Service
from foregate.lab.services.markov import MEAN_TOKEN_BYTES, generate

TOKENS_MEDIAN = 24
TOKENS_MAX = 160
SSE_OVERHEAD_BYTES = len(b'data: {"token":""}\n\n')


class Ai(Service):
    """POST /ai/complete answers JSON, POST /ai/chat streams server-sent events, POST /ai/embed gives a vector."""

    async def work(self, call: Call, instance: Instance) -> Answer:
        loop = asyncio.get_running_loop()
        embed = call.path.endswith("/embed")
        tokens = 1 if embed else min(TOKENS_MAX, 1 + int(TOKENS_MEDIAN * exp(0.5 * self.rng.gauss(0.0, 1.0))))
        paced_s = self.provider.charge(loop.time(), 1.0)
        await asyncio.sleep(paced_s + self.spread(self.profile.work_s, instance))
        await self.database.open()  # a slot of the model runtime
        try:
            if call.path.endswith("/chat"):
                return await self._stream(call, tokens)
            await self.database.query(0.1 if embed else tokens / TOKENS_MEDIAN)
        finally:
            self.database.close()
        if embed:
            vector = ",".join(f"{self.rng.gauss(0.0, 1.0):.3f}" for _ in range(16))
            return Answer(200, f'{{"embedding":[{vector}]}}'.encode())
        return Answer(200, f'{{"text":"{" ".join(generate(self.rng, tokens))}"}}'.encode())

    async def _stream(self, call: Call, tokens: int) -> Answer:
        """Decode one token at a time where somebody reads along; in one stretch where nobody does."""
        call.first_byte_s = asyncio.get_running_loop().time()
        if call.emit is None:
            await self.database.query(tokens / TOKENS_MEDIAN)
            return Answer(200, size=tokens * (SSE_OVERHEAD_BYTES + MEAN_TOKEN_BYTES))
        size = 0
        for token in generate(self.rng, tokens):
            chunk = f'data: {{"token":"{token} "}}\n\n'.encode()
            if not call.emit(chunk):
                break  # the reader has gone: stop burning the slot
            size += len(chunk)
            await self.database.query(1.0 / TOKENS_MEDIAN)
        call.emit(b"data: [DONE]\n\n")
        return Answer(200, size=size)
