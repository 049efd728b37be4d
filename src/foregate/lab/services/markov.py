"""A small Markov chain over the library's sentences: a language model that fits in a lap."""

from functools import lru_cache
from random import Random

from foregate.lab.services.library import SENTENCES

START = ""
MEAN_TOKEN_BYTES = round(
    sum(len(word) + 1 for s in SENTENCES for word in s.split()) / sum(len(s.split()) for s in SENTENCES)
)


@lru_cache(maxsize=1)
def chain() -> dict[tuple[str, str], tuple[str, ...]]:
    """Two words → the words that follow them in the library."""
    follows: dict[tuple[str, str], list[str]] = {}
    for sentence in SENTENCES:
        state = (START, START)
        for word in sentence.split():
            follows.setdefault(state, []).append(word)
            state = (state[1], word)
    return {state: tuple(words) for state, words in follows.items()}


def generate(rng: Random, tokens: int) -> list[str]:
    """`tokens` words; where a sentence ends another begins."""
    model = chain()
    state = (START, START)
    words = []
    for _ in range(tokens):
        following = model.get(state) or model[(START, START)]
        if state not in model:
            state = (START, START)
        word = following[int(rng.random() * len(following))]
        words.append(word)
        state = (state[1], word)
    return words
