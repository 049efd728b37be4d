"""One at a time per key, in the order of asking."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager


class Turns:
    """Locks by key, kept only while somebody holds or awaits them."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, list[None]]] = {}  # with one entry per user

    def __len__(self) -> int:
        return len(self._locks)

    @asynccontextmanager
    async def take(self, keys: Sequence[str]) -> AsyncIterator[None]:
        """Hold all of `keys`; always taken in the same order, so two that want the same cannot block each other."""
        taken: list[asyncio.Lock] = []
        wanted = sorted(keys)
        users = [self._locks.setdefault(key, (asyncio.Lock(), [])) for key in wanted]
        for _, names in users:
            names.append(None)
        try:
            for lock, _ in users:
                await lock.acquire()
                taken.append(lock)
            yield
        finally:
            for lock in taken:
                lock.release()
            for key, (_, names) in zip(wanted, users, strict=True):
                names.pop()
                if not names:
                    del self._locks[key]
