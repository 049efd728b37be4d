"""A worker's eye on verdicts.json."""

import asyncio
import os
import resource
from pathlib import Path

from structlog.testing import CapturingLogger

from foregate.app.paths import write_private
from foregate.app.roles.follow_verdicts import LOOK_S, VerdictsFollower
from foregate.wire.verdicts import Block, Verdicts, encode_verdicts

BLOCK = Block("ip:192.0.2.1", 9e9, "why", "sweep", 1, 0.0, "blk_1")


def follower(file: Path) -> tuple[VerdictsFollower, list[Verdicts], CapturingLogger]:
    seen: list[Verdicts] = []
    log = CapturingLogger()
    return VerdictsFollower(file, seen.append, log), seen, log  # type: ignore[arg-type]


def test_each_content_is_followed_once(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.json"
    looking, seen, _ = follower(file)
    looking.look()
    assert seen == []
    for version in (1, 2):
        write_private(file, encode_verdicts(Verdicts(version, (BLOCK,))).decode())
        looking.look()
        looking.look()
    assert [verdicts.version for verdicts in seen] == [1, 2]
    assert seen[0].blocks == (BLOCK,)


def test_what_cannot_be_read_changes_nothing_and_is_said_once(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.json"
    looking, seen, log = follower(file)
    file.write_text("{")
    looking.look()
    looking.look()
    assert seen == []
    assert [call.args[0] for call in log.calls] == ["verdicts_unreadable"]
    file.unlink()
    looking.look()  # nor does a file that is gone free anybody
    assert seen == []


def test_what_could_not_be_opened_is_followed_once_it_can_be(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.json"
    looking, seen, log = follower(file)
    write_private(file, encode_verdicts(Verdicts(3, (BLOCK,))).decode())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))  # no descriptor is left
    try:
        looking.look()
        looking.look()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert seen == []
    assert [call.args[0] for call in log.calls] == ["verdicts_unreadable"]
    looking.look()
    looking.look()
    assert [verdicts.version for verdicts in seen] == [3]


def test_a_change_is_seen_within_a_second(tmp_path: Path) -> None:
    assert LOOK_S <= 0.5
    file = tmp_path / "verdicts.json"
    looking, seen, _ = follower(file)

    async def main() -> None:
        task = asyncio.get_running_loop().create_task(looking.run())
        await asyncio.sleep(0)
        write_private(file, encode_verdicts(Verdicts(7)).decode())
        for _ in range(100):
            await asyncio.sleep(0.02)
            if seen:
                break
        task.cancel()

    asyncio.run(main())
    assert [verdicts.version for verdicts in seen] == [7]
