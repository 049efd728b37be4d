"""A fake provider for tests, `openai` or `anthropic` by its argument; prints its port."""

import asyncio
import sys

from foregate.lab.providers import FakeAnthropic, FakeOpenAI, Script

KINDS = {"openai": FakeOpenAI, "anthropic": FakeAnthropic}


async def main(kind: str, status: int) -> None:
    print(await KINDS[kind](Script(status=status)).start(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
