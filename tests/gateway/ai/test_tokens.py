"""The estimate of tokens: near the truth for the texts that its page names, and the same however a text is cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.gateway.ai.tokens import TextCounter, estimate

_STORY = """The old lighthouse keeper had not spoken to anyone for eleven days when the boat finally came. It was a
small boat, painted the colour of wet slate, and it carried only one passenger: a girl of perhaps nine, holding a
birdcage with nothing in it. She climbed the rocks without asking for help."""
_CODE = '''def steady(self, now_s: float) -> bool:
    """Whether another success changes nothing."""
    if self._failures >= self.settings.failures:
        return False
    return all(target.state == "closed" for target in self.targets.values())
'''
_CHINESE = (
    "人工智能正在改变我们的生活方式。在过去的几年里,大型语言模型的能力有了显著的提高。它们可以回答问题、编写代码。"
)


@pytest.mark.parametrize(
    ("text", "tokens", "within"),
    [(_STORY, 65, 0.05), (_CODE, 52, 0.2), (_CHINESE, 35, 0.15)],
    ids=["English", "Python", "Chinese"],
)
def test_an_estimate_is_near_what_o200k_base_counts(text: str, tokens: int, within: float) -> None:
    assert abs(estimate(text) / tokens - 1) <= within


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.text(alphabet="ab Z09  \n.,é世😀", max_size=3_000), max_size=12))
def test_text_in_pieces_counts_as_much_as_in_one(pieces: list[str]) -> None:
    counter = TextCounter()
    for piece in pieces:
        counter.add(piece)
    assert counter.tokens == estimate("".join(pieces))


def test_a_run_of_spaces_counts_the_same_wherever_a_long_text_is_settled() -> None:
    for length in range(8_185, 8_200):
        counter = TextCounter()
        for piece in ("x" * length + " ", "   y", " " * 20_000, "z"):
            counter.add(piece)
        assert counter.tokens - estimate("x" * length + " " * 20_000 + "    yz") in (0, 1)
        counter = TextCounter()
        counter.add("x" * length + " ")
        counter.add(" y")
        assert counter.tokens == estimate("x" * length + "  y")


def test_no_text_is_free_of_tokens_and_nothing_has_less_than_none() -> None:
    assert estimate("") == 0
    for byte in range(128):
        assert estimate(chr(byte)) >= 1
    assert estimate(" " * 100_000) > 1_000
    assert estimate("a" * 100_000) > 10_000
