"""`${…}` in what policies write: which there are, and what is wrong with a text that holds others. Pure."""

import re
from collections.abc import Iterable

PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_KNOWN = re.compile(
    r"param\.[A-Za-z_][A-Za-z0-9_]*|header\.[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}|query\.[^&=}]{1,128}"
    r"|key\.(?:id|name|org|plan)|client\.ip|request\.id"
)
WRITTEN = "${param.name}, ${header.name}, ${query.name}, ${key.id}, ${key.org}, ${client.ip} or ${request.id}"


def problem_in(texts: Iterable[str]) -> str | None:
    """The first placeholder that there is not, as a sentence; None when all are fine."""
    for text in texts:
        for match in PLACEHOLDER.finditer(text):
            if _KNOWN.fullmatch(match[1]) is None:
                return f"{match[0]} is none of {WRITTEN}"
        if "${" in PLACEHOLDER.sub("", text):
            return f'"{text}" has a ${{ that does not end'
    return None
