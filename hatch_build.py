"""Build hook: a wheel without the console's assets is refused, so nobody can ship a gateway with a blank page."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConsoleAssets(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        index = Path(self.root, "src/foregate/control/console/assets/index.html")
        if version != "editable" and not index.is_file():
            raise RuntimeError("the console is not built: run `make web` before building the wheel")
