"""What a role process is told on its command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from foregate.app.logs import LogStyle
from foregate.app.paths import DataDir

ROLES = ("gateway", "courier", "ingest", "analyzer", "keeper", "control", "lab", "forecaster")


@dataclass(frozen=True)
class RoleOptions:
    """`worker` counts gateway workers from 0; `supervised`: end when standard input closes.

    `sockets` are descriptors handed down: the listeners on Unix sockets, in the order of the configuration.
    """

    role: str
    data: DataDir
    worker: int = 0
    logs: LogStyle = field(default_factory=LogStyle)
    supervised: bool = False
    sockets: tuple[int, ...] = ()

    def argv(self) -> tuple[str, ...]:
        """The arguments that `parse` turns back into these options."""
        words = [self.role, "--data-dir", str(self.data.root), "--worker", str(self.worker)]
        words += ["--log-format", self.logs.format, "--log-level", self.logs.level]
        for descriptor in self.sockets:
            words += ["--socket", str(descriptor)]
        return (*words, "--supervised") if self.supervised else tuple(words)


def parse(argv: Sequence[str]) -> RoleOptions:
    """Read the command line of a role process; a mistake ends the process with status 2."""
    parser = argparse.ArgumentParser(prog="foregate serve")
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--worker", type=int, default=0)
    parser.add_argument("--log-format", choices=("json", "console"), default="json")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    parser.add_argument("--socket", type=int, action="append", default=[])
    parser.add_argument("--supervised", action="store_true")
    given = parser.parse_args(argv)
    data = DataDir(given.data_dir)
    logs = LogStyle(given.log_format, given.log_level, data.own_log(f"{given.role}-{given.worker}"))
    return RoleOptions(given.role, data, given.worker, logs, given.supervised, tuple(given.socket))
