"""Fake providers for a test: `async with provider(FakeOpenAI(Script())) as port`."""

import contextlib
from collections.abc import AsyncIterator

from foregate.lab.providers import Call, FakeAnthropic, FakeOpenAI, Script
from foregate.lab.providers.script import FakeProvider

__all__ = ["Call", "FakeAnthropic", "FakeOpenAI", "Script", "provider"]


@contextlib.asynccontextmanager
async def provider(fake: FakeProvider) -> AsyncIterator[int]:
    """Its port on loopback."""
    port = await fake.start()
    try:
        yield port
    finally:
        await fake.close()
