"""Path templates: "/users/{id}/orders/{order}"; "{rest...}" as last segment takes what is left, also nothing."""

import re
from typing import NamedTuple

_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]{0,63})(\.\.\.)?\}")


class Template(NamedTuple):
    """`parts` has None where a parameter stands; `names` are those of the parameters, in order.

    With `rest` the last of the names takes every segment beyond `parts`.
    """

    parts: tuple[bytes | None, ...]
    names: tuple[str, ...]
    rest: bool

    @property
    def fixed(self) -> int:
        """How many segments at the beginning are fixed: what `strip` removes."""
        return self.parts.index(None) if None in self.parts else len(self.parts)

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """The parameters of one segment each, with the index of that segment."""
        indexes = [index for index, part in enumerate(self.parts) if part is None]
        return tuple(zip(self.names, indexes, strict=False))


def read_template(text: str) -> Template:
    """A template, already judged by `problem_with_template`."""
    parts: list[bytes | None] = []
    names: list[str] = []
    rest = False
    for segment in text.split("/"):
        match = _PARAMETER.fullmatch(segment)
        if match is None:
            parts += [segment.encode()] if segment else []
            continue
        names.append(match[1])
        rest = match[2] is not None
        if not rest:
            parts.append(None)
    return Template(tuple(parts), tuple(names), rest)


def problem_with_template(text: str) -> str | None:
    """What is wrong with the braces of a template, as a sentence; None when nothing is."""
    names: set[str] = set()
    segments = text.split("/")
    for position, segment in enumerate(segments):
        match = _PARAMETER.fullmatch(segment)
        if match is None:
            if "{" in segment or "}" in segment:
                return (
                    f'"{segment}" in "{text}" is neither fixed nor a parameter: a parameter is a whole segment like '
                    "{id}, its name a letter or _ and then letters, digits or _ (64 at most)"
                )
            continue
        if match[1] in names:
            return f'"{text}" names the parameter {match[1]} twice'
        if match[2] is not None and position != len(segments) - 1:
            return f'"{text}" goes on after {segment}, which takes all the rest: it must be the last segment'
        names.add(match[1])
    return None
