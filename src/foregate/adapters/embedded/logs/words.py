"""What people type, as a query that FTS5 takes: words, "phrases", beginnings*. Pure.

Everything is quoted, so that nothing in it can be an operator: whatever is typed is searched for, never refused.
Source: https://www.sqlite.org/fts5.html, section 3 (the grammar of strings and phrases).
"""

import re

WORDS_MAX = 32  # further ones are not looked for
_TYPED = re.compile(r'"([^"]*)"?(\*?)|([^\s"]+)')
_IN_WORDS = re.compile(r"[^\W_]")  # what the tokenizer makes words of: letters and digits


def query_of(typed: str) -> str:
    """ "" where no word is in it. All terms must be in a record."""
    terms: list[str] = []
    for phrase, star, word in _TYPED.findall(_plain(typed)):
        text = phrase or word.rstrip("*")
        if _IN_WORDS.search(text) is None:
            continue
        prefix = star == "*" or (word.endswith("*") and not phrase)
        terms.append(f'"{text}"' + ("*" if prefix else ""))
        if len(terms) == WORDS_MAX:
            break
    return " AND ".join(terms)


def _plain(typed: str) -> str:
    """Without what SQLite takes for the end of a text, or cannot encode."""
    return typed.replace("\0", " ").encode("utf-8", "replace").decode()
