"""Search: an inverted index over the library's sentences; a query costs what it has to read."""

import asyncio
import re
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

from foregate.lab.model.call import Answer, Call
from foregate.lab.model.instance import Instance
from foregate.lab.model.service import Service
from foregate.lab.services.library import SENTENCES

_WORD = re.compile(r"[a-z]+")
HITS_MAX = 5
POSTING_COST = 0.012  # of the ordinary work, per posting that a query reads


@lru_cache(maxsize=1)
def inverted_index() -> dict[str, tuple[int, ...]]:
    """Word → the sentences it occurs in, ascending."""
    postings: dict[str, set[int]] = {}
    for number, sentence in enumerate(SENTENCES):
        for word in _WORD.findall(sentence.lower()):
            postings.setdefault(word, set()).add(number)
    return {word: tuple(sorted(numbers)) for word, numbers in sorted(postings.items())}


def find(query: str) -> tuple[list[int], int]:
    """The best sentences for `query` (most words in common first), and how many postings were read."""
    index = inverted_index()
    scores: dict[int, int] = {}
    read = 0
    for word in _WORD.findall(query.lower()):
        for number in index.get(word, ()):
            scores[number] = scores.get(number, 0) + 1
            read += 1
    return sorted(scores, key=lambda number: (-scores[number], number))[:HITS_MAX], read


class Search(Service):
    """GET /search?q=words. Answers are cached; what is not must be read from the index disk."""

    async def work(self, call: Call, instance: Instance) -> Answer:
        cached: bytes | None = instance.cache.get(call.path)
        if cached is not None:
            await asyncio.sleep(self.spread(0.4 * self.profile.work_s, instance))
            return Answer(200, cached)
        hits, read = find(_query(call.path))
        await self.database.open()
        try:
            await self.database.query()
        finally:
            self.database.close()
        await asyncio.sleep(self.spread(self.profile.work_s * (0.7 + POSTING_COST * read), instance))
        body = ('{"hits":["' + '","'.join(SENTENCES[number] for number in hits) + '"]}').encode()
        instance.cache.put(call.path, body)
        return Answer(200, body)


def _query(path: str) -> str:
    return " ".join(parse_qs(urlsplit(path).query).get("q", ()))
