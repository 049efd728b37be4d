"""API keys."""

from hypothesis import given
from hypothesis import strategies as st

from foregate.kernel import secrets


def test_a_made_key_has_the_form_and_the_checksum() -> None:
    key = secrets.new_key("demo")
    assert key.startswith("fg_demo_")
    assert secrets.looks_like_key(key)


@given(st.integers(min_value=8, max_value=41), st.sampled_from("0123456789ABCXYZabcxyz"))
def test_one_wrong_character_is_noticed_without_a_look_up(position: int, character: str) -> None:
    key = secrets.new_key("demo")
    wrong = key[:position] + character + key[position + 1 :]
    assert secrets.looks_like_key(wrong) == (wrong == key)


@given(st.text(max_size=60))
def test_junk_is_not_a_key(text: str) -> None:
    assert not secrets.looks_like_key(text)


def test_a_hash_depends_on_key_and_pepper() -> None:
    pepper = secrets.new_pepper()
    assert secrets.hash_key("a" * 20, pepper) == secrets.hash_key("a" * 20, pepper)
    assert secrets.hash_key("a" * 20, pepper) != secrets.hash_key("b" * 20, pepper)
    assert secrets.hash_key("a" * 20, pepper) != secrets.hash_key("a" * 20, secrets.new_pepper())
