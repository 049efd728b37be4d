"""Longest prefix on segment borders, held against the obvious slow way."""

from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.match import UNSAFE, Prefixes

SEGMENT = st.sampled_from(["a", "b", "ab", "users", "v1", "é", "x y"])
PATH = st.lists(SEGMENT, max_size=5).map(lambda parts: "/" + "/".join(parts))


def slow(prefixes: list[str], path: str) -> str | None:
    parts = [part for part in path.split("/") if part]
    best = None
    for prefix in prefixes:
        wanted = [part for part in prefix.split("/") if part]
        if parts[: len(wanted)] == wanted and (best is None or len(wanted) >= len(best[0])):
            best = (wanted, prefix)
    return best[1] if best else None


@given(st.lists(PATH, max_size=8, unique=True), PATH)
def test_the_longest_prefix_wins(prefixes: list[str], path: str) -> None:
    tree = Prefixes([(prefix, prefix) for prefix in prefixes])
    assert tree.find(path.encode())[0] == slow(prefixes, path)


@given(st.lists(PATH, max_size=8, unique=True), PATH, st.sets(st.integers(0, 40)))
def test_percent_encoding_and_empty_segments_change_nothing(prefixes: list[str], path: str, encoded: set[int]) -> None:
    tree = Prefixes([(prefix, prefix) for prefix in prefixes])
    raw = b"".join(
        b"%%%02x" % byte if index in encoded else bytes([byte]) for index, byte in enumerate(path.encode()) if index
    )
    assert tree.find(b"/" + raw)[0] == tree.find(path.encode())[0]
    assert tree.find(path.replace("/", "//").encode())[0] == tree.find(path.encode())[0]


def test_a_prefix_ends_at_a_segment_border() -> None:
    tree = Prefixes([("/ai", "ai")])
    assert [tree.find(path) for path in (b"/ai", b"/ai/", b"/ai/x", b"/aix", b"/")] == [
        ("ai", 3),
        ("ai", 3),
        ("ai", 3),
        (None, 0),
        (None, 0),
    ]


def test_dot_segments_are_unsafe_and_dots_in_names_are_not() -> None:
    tree = Prefixes([("/", "root")])
    for path in (
        b"/..",
        b"/a/../b",
        b"/a/%2E%2e/b",
        b"/a/.",
        b"/a%2f..%2fb",
        b"/a/..;/b",
        b"/a/.%2e;x=1/b",
        b"/a/..%3bx",
    ):
        assert tree.find(path) == (None, UNSAFE), path
    for path in (b"/.well-known/x", b"/a..b", b"/...", b"/a.json", b"/a;b", b"/a;../b"):
        assert tree.find(path)[0] == "root", path


def test_a_backslash_is_unsafe_however_it_is_spelt() -> None:
    tree = Prefixes([("/", "root"), ("/public", "public")])
    for path in (rb"/public\..\secret", rb"/public/a\b", b"/public/%5c..%5Csecret", b"/a\\"):
        assert tree.find(path) == (None, UNSAFE), path
