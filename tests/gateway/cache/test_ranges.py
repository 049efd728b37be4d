"""Which part of a stored answer a Range field asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.cache.ranges import NOTHING, Part, part_of

HEAD = [
    (b"etag", b'"a"'),
    (b"last-modified", b"Sun, 06 Nov 1994 08:49:37 GMT"),
    (b"date", b"Mon, 07 Nov 1994 08:49:37 GMT"),
]


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        (b"bytes=0-4", Part(0, 5)), (b"bytes=2-", Part(2, 10)), (b"bytes=-3", Part(7, 10)), (b"bytes=-30", Part(0, 10)),
        (b"bytes=5-99", Part(5, 10)), (b"bytes=10-", NOTHING), (b"bytes=-0", NOTHING),
        (b"bytes=5-4", None), (b"bytes=0-1,3-4", None), (b"items=0-4", None), (b"bytes=", None), (b"bytes=-", None),
        (b"bytes=a-b", None), (b"bytes=0-" + b"9" * 400, None),
    ],
)  # fmt: skip
def test_one_range_is_a_part_and_anything_else_the_whole(asked: bytes, part: Part | None) -> None:
    assert part_of(asked, None, HEAD, 10) == part


@pytest.mark.parametrize(
    ("if_range", "part"),
    [
        (b'"a"', Part(0, 5)), (b'W/"a"', None), (b'"b"', None), (b"nonsense", None),
        (b"Sun, 06 Nov 1994 08:49:37 GMT", Part(0, 5)), (b"Sun, 06 Nov 1994 08:49:38 GMT", None),
    ],
)  # fmt: skip
def test_another_answer_than_the_clients_is_sent_whole(if_range: bytes, part: Part | None) -> None:
    assert part_of(b"bytes=0-4", if_range, HEAD, 10) == part


@given(st.integers(0, 30), st.one_of(st.none(), st.integers(0, 30)), st.one_of(st.none(), st.integers(0, 30)))
def test_a_part_lies_within_the_body(length: int, first: int | None, last: int | None) -> None:
    asked = b"bytes=%s-%s" % (*(b"" if n is None else b"%d" % n for n in (first, last)),)
    part = part_of(asked, None, HEAD, length)
    if part is not None and part is not NOTHING:
        assert 0 <= part.start < part.stop <= length
