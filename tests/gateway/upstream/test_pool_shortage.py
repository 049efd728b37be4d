"""What we have run out of ourselves is not blamed on an upstream."""

import asyncio
import errno

import pytest

from foregate.gateway.upstream.addresses import system_resolver
from foregate.gateway.upstream.pool import Pool, PoolMeans, PoolSettings
from foregate.http1.deadlines import Deadlines
from foregate.kernel.clock import SystemClock
from foregate.wire.snapshot import Target


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.EMFILE, "too many open files"), "overloaded"),
        (OSError(errno.EADDRNOTAVAIL, "no port left"), "overloaded"),
        (OSError(errno.EHOSTUNREACH, "no way there"), "upstream_refused"),
        (UnicodeError("label empty or too long"), "upstream_refused"),
    ],
)
def test_our_own_shortage_is_not_blamed_on_the_upstream(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    told: list[str] = []

    class Waiting:
        def connected(self, connection: object) -> None:
            told.append("connected")

        def connect_failed(self, code: str) -> None:
            told.append(code)

    async def fail(*_: object, **__: object) -> None:
        raise error

    async def main() -> None:
        means = PoolMeans(
            SystemClock(), Deadlines(SystemClock(), tick_s=0.05), lambda what, facts: None, system_resolver
        )
        pool = Pool(Target("http://10.0.0.1", "10.0.0.1", 80), PoolSettings(1.0, 10, 30.0, None, ""), means)
        await pool.connect(Waiting())

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", fail)
    asyncio.run(main())
    assert told == [code]
