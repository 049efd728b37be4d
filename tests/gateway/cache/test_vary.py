"""Which requests a variant is for."""

from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.cache.vary import variant, vary_names


def test_the_names_are_one_list_whatever_lines_they_came_in() -> None:
    assert vary_names([(b"vary", b"B, a"), (b"vary", b"a,c")]) == (b"a", b"b", b"c")
    assert vary_names([]) == ()
    assert vary_names([(b"vary", b"Host")]) == ()  # part of every key


def test_what_varies_by_everything_is_for_nobody() -> None:
    for value in (b"*", b"a, *", b", *", b"*, *", b"x-request-id", b"X-Forwarded-For"):
        assert vary_names([(b"vary", value)]) is None, value


def test_an_absent_field_is_another_than_an_empty_one() -> None:
    assert variant((b"a",), {}) != variant((b"a",), {b"a": b""})


def test_what_means_the_same_is_the_same() -> None:
    def same(name: bytes, one: bytes, other: bytes) -> bool:
        return variant((name,), {name: one}) == variant((name,), {name: other})

    assert same(b"x", b"a, b", b"a ,b")
    assert not same(b"x", b"a, b", b"b, a")
    assert not same(b"x", b"A", b"a")
    assert same(b"accept-encoding", b"gzip, br;q=0.5", b"BR; q=0.5, gzip")
    assert not same(b"accept-encoding", b"gzip", b"gzip;q=0")
    assert same(b"accept-language", b"en, de", b"EN,de")
    assert not same(b"accept-language", b"en, de", b"de, en")


values = st.dictionaries(st.sampled_from([b"a", b"b", b"c"]), st.text("xy,= ", max_size=80).map(str.encode))


@given(values, values)
def test_two_requests_that_differ_in_a_named_field_share_no_variant(
    one: dict[bytes, bytes], other: dict[bytes, bytes]
) -> None:
    names = (b"a", b"b", b"c")

    def plain(sent: dict[bytes, bytes]) -> list[object]:
        return [None if sent.get(name) is None else [part.strip() for part in sent[name].split(b",")] for name in names]

    assert (variant(names, one) == variant(names, other)) == (plain(one) == plain(other))
