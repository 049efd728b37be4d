"""Whatever is typed is searched for: nothing in it is an operator of FTS5, and nothing makes a query fail."""

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.adapters.embedded.logs.words import WORDS_MAX, query_of

PIECES = [
    "", '"', "*", "(", ")", "{", "}", ":", "^", "+", "-", ".", ",", "/", "\\", ";", "'", "%", "_", "\u0000",
    "NEAR(", "AND", "OR", "NOT", "body:", "more:x", '"a', 'b"', "a*", "**x", '"unclosed', "é", "日本", "--",
    "1", "",
]  # fmt: skip
HOSTILE = st.one_of(
    st.text(max_size=60), st.lists(st.sampled_from([*PIECES, "\ud800", '""']), max_size=20).map(" ".join)
)


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("payment failed", '"payment" AND "failed"'),
        ('"payment failed" card', '"payment failed" AND "card"'),
        ("pay* now", '"pay"* AND "now"'),
        ('"pay no"*', '"pay no"*'),
        ("a OR b", '"a" AND "OR" AND "b"'),
        ('open "quote', '"open" AND "quote"'),
        (" -- ** ", ""),
        ("", ""),
        ("user:42", '"user:42"'),
    ],
)
def test_terms_are_quoted(typed: str, query: str) -> None:
    assert query_of(typed) == query


def test_more_words_than_the_bound_are_not_looked_for() -> None:
    assert query_of("x " * 1_000).count('"x"') == WORDS_MAX


@settings(derandomize=True, max_examples=1_000, deadline=None)
@given(typed=HOSTILE)
def test_no_text_makes_a_query_that_fails(typed: str) -> None:
    query = query_of(typed)
    if query:
        _db().execute("SELECT rowid FROM words WHERE words MATCH ?", (query,)).fetchall()


_open: list[sqlite3.Connection] = []


def _db() -> sqlite3.Connection:
    if not _open:
        _open.append(sqlite3.connect(":memory:"))
        _open[0].execute("CREATE VIRTUAL TABLE words USING fts5 (body, more, content='', tokenize='unicode61')")
        _open[0].execute("INSERT INTO words (rowid, body, more) VALUES (1, 'a b x 1 near', 'more x')")
    return _open[0]
