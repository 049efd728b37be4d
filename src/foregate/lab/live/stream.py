"""A stream of tokens between the model that makes them and the connection that carries them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from foregate.lab.model.call import Answer

CHUNKS_MAX = 4_096  # unread tokens; beyond it the reader counts as gone


class TokenStream:
    """`emit` on the model's side, `chunks` on the reader's."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._finished = False
        self._gone = False
        self.broken = False  # the generation failed after it had begun

    def emit(self, chunk: bytes) -> bool:
        """Hand over a chunk; False when the reader has gone."""
        if self._gone or len(self._chunks) >= CHUNKS_MAX:
            return False
        self._chunks.append(chunk)
        self._news.set()
        return True

    def finish(self, task: "asyncio.Task[Answer]") -> None:
        """The generation is over."""
        self._finished = True
        self.broken = task.cancelled() or task.exception() is not None or task.result().status >= 500
        self._news.set()

    def leave(self) -> None:
        """The reader is gone: the next `emit` says so."""
        self._gone = True

    async def began(self) -> bool:
        """Wait for the first chunk; False when the generation ended without any."""
        while not self._chunks and not self._finished:
            self._news.clear()
            await self._news.wait()
        return bool(self._chunks)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Each chunk as it comes."""
        while await self.began():
            yield self._chunks.popleft()
