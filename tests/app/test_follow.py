"""A worker puts a new snapshot in force also where it could not be read at first."""

import asyncio
from pathlib import Path
from typing import Any, cast

import structlog

from foregate.app.roles.follow import Follower
from foregate.app.watch import stamp
from foregate.gateway import Gateway
from foregate.kernel.clock import SystemClock
from foregate.wire.snapshot import Snapshot, encode_snapshot


class Serving:
    """Notes what it is given."""

    version = "0"

    def __init__(self) -> None:
        self.applied: list[str] = []

    async def apply(self, snapshot: Snapshot, extensions: Any) -> None:
        self.applied.append(snapshot.version)


class Unreadable(type(Path())):  # type: ignore[misc]
    """A file that cannot be opened for a while, as when no descriptor is left."""

    failures = 2

    def read_bytes(self) -> bytes:
        if Unreadable.failures:
            Unreadable.failures -= 1
            raise OSError(24, "Too many open files")
        return bytes(super().read_bytes())


def test_a_snapshot_that_cannot_be_opened_is_tried_again_and_that_is_said_once(tmp_path: Path) -> None:
    async def main() -> None:
        file = Unreadable(tmp_path / "snapshot.json")
        file.write_bytes(encode_snapshot(Snapshot("1")))
        seen = stamp(file)
        file.write_bytes(encode_snapshot(Snapshot("22", org="other")))
        serving = Serving()
        with structlog.testing.capture_logs() as logs:
            follower = Follower(cast("Gateway", serving), file, seen, SystemClock(), structlog.get_logger())
            following = asyncio.ensure_future(follower.run())
            for _ in range(200):
                follower.nudged()
                await asyncio.sleep(0.005)
                if serving.applied:
                    break
            following.cancel()
        assert serving.applied == ["22"]
        assert [line["event"] for line in logs if line["log_level"] == "error"] == ["snapshot_unreadable"]

    asyncio.run(main())
