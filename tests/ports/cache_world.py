"""Answers to store, and stores to keep them: what the suites of the cache are written with."""

import asyncio
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from foregate.adapters.embedded.cache import EmbeddedCache, open_cache
from foregate.kernel.clock import Clock, SystemClock
from foregate.ports.cache import Absent, Key, Moment, Select, Stored
from foregate.wire.cache import CacheStorage

MEMORY_BYTES = 1 << 20
SETTINGS = CacheStorage(memory_bytes_max=MEMORY_BYTES, object_bytes_max=8 << 20)
ON_DISK = msgspec.structs.replace(SETTINGS, disk_bytes_max=64 << 20)
NOW_S = 2_000_000_000.0
SETTLE_S = 10.0


def key(url: str = "/a", org: str = "acme", host: str = "api.test", extra: str = "") -> Key:
    return Key(f"{org}|{extra}|{host}|{url}".encode(), org, host.encode(), url.encode())


def answer(body: bytes = b"hello", fresh_s: float = 60.0, **fields: Any) -> Stored:
    return Stored(200, [(b"content-type", b"text/plain")], NOW_S, NOW_S, NOW_S + fresh_s, body=body, **fields)


def anything(_: tuple[bytes, ...]) -> bytes:
    return b""


class Worker:
    """A handle on the cache in `folder`, with what it has logged."""

    def __init__(self, folder: Path, number: int, settings: CacheStorage, clock: Clock | None = None) -> None:
        self.logged: list[tuple[str, dict[str, object]]] = []
        self.store: EmbeddedCache = open_cache(folder, number, settings, clock or SystemClock(), self._log)

    def _log(self, what: str, facts: dict[str, object]) -> None:
        self.logged.append((what, facts))

    def put(self, one: Key, stored: Stored, moment: Moment | None = None) -> bool:
        return self.store.put(one, moment or self.store.moment(one), stored)

    async def stream(self, one: Key, chunks: Sequence[bytes], stored: Stored, length: int | None = None) -> bool:
        writer = self.store.begin(one, self.store.moment(one), stored, length)
        if writer is None:
            return False
        for chunk in chunks:
            if not writer.append(chunk):
                return False
            await asyncio.sleep(0)
        return writer.commit()

    async def find(self, one: Key, select: Select = anything, now_s: float = NOW_S) -> Stored | Absent:
        found = self.store.get(one.primary, select, now_s)
        return await found if inspect.isawaitable(found) else found

    async def body(self, one: Key, select: Select = anything, now_s: float = NOW_S) -> bytes | None:
        """Of what is found, whole; None when nothing is."""
        found = await self.find(one, select, now_s)
        if isinstance(found, Absent):
            return None
        if isinstance(found.body, bytes):
            return found.body
        try:
            return await found.body.read(0, found.body.length)
        finally:
            found.body.close()


async def until(holds: Callable[[], Any]) -> None:
    """Wait for what threads or other workers are about to do."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + SETTLE_S
    while True:
        held = holds()
        if await held if inspect.isawaitable(held) else held:
            return
        assert loop.time() < end_s, "it never came to that"
        await asyncio.sleep(0.002)
