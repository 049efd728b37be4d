"""A worker reduced to its cache, in a process of its own: `python -m tests.adapters.cache.peer <what> <folder> …`.

`write <number>`: stores answers, small and large, nearly at full speed until it is killed.
`purge <times>`: purges tag after tag.
`fill <bytes>`: with files of at most so many bytes each, tries to store a large answer and small ones; prints JSON.
"""

import asyncio
import json
import resource
import sys
from pathlib import Path

from tests.ports.cache_world import ON_DISK, Worker, answer, key, until

from foregate.adapters.embedded.cache import open_purger

URLS = 40
LARGE = 7  # every so many answers one that is too large for memory


def body_of(url: int, version: int) -> bytes:
    """Its first bytes say what it is, and all of it follows from them."""
    size = 300_000 if url % LARGE == 0 else 100 + 1_009 * (version % 17)
    unit = b"%d/%d;" % (url, version)
    return (unit * (size // len(unit) + 1))[:size]


async def write(folder: Path, number: int) -> None:
    worker = Worker(folder, number, ON_DISK)
    version = 0
    while True:
        for url in range(URLS):
            version += 1
            body = body_of(url, version)
            if url % LARGE == 0:
                await worker.stream(key(f"/{url}"), [body[:100_000], body[100_000:]], answer(b""))
            else:
                worker.put(key(f"/{url}"), answer(body))
            await asyncio.sleep(0.0005)


async def fill(folder: Path, bytes_max: int) -> None:
    worker = Worker(folder, 0, ON_DISK)
    await until(lambda: worker.store.stats().disk_bytes_max)
    if bytes_max:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, bytes_max))
    chunks = [b"x" * 100_000] * 40
    streamed = await worker.stream(key("/large"), chunks, answer(b""))
    put = worker.put(key("/small"), answer(b"y" * 60_000))
    await until(lambda: worker.logged)
    await asyncio.sleep(0.1)
    report = {
        "streamed": streamed,
        "put": put,
        "large": await worker.body(key("/large")) is not None,
        "small": (await worker.body(key("/small")) or b"").decode(),
        "logged": [what for what, _ in worker.logged],
        "not_stored": worker.store.stats().not_stored,
    }
    worker.store.close()
    print(json.dumps(report))


def main(what: str, folder: str, number: str) -> None:
    if what == "purge":
        purger = open_purger(Path(folder))
        for each in range(int(number)):
            purger.purge("tag", f"tag-{each}", None)
    else:
        asyncio.run({"write": write, "fill": fill}[what](Path(folder), int(number)))


if __name__ == "__main__":
    main(*sys.argv[1:])
