"""What is wrong with a configuration, said so that it can be mended without reading our code."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """`where` is a file with a line, or the name of an environment variable; `key` the dotted path within it."""

    where: str
    key: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.where}: {self.key}: {self.sentence}" if self.key else f"{self.where}: {self.sentence}"


class ConfigRefused(Exception):
    """The configuration is not usable. Nothing was started and nothing was changed."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def dotted(path: Path) -> str:
    """`("routes", 0, "path")` → `routes[0].path`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text


def did_you_mean(word: str, known: Iterable[str], nearness: float = 0.5) -> str:
    """` — did you mean "…"?`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=nearness)
    return f' — did you mean "{near[0]}"?' if near else ""
