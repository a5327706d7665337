"""What `growth` fills stores with: texts from a small grammar with skewed words, and vectors that cost nothing.

A text is a sentence about a person, a thing and a place; a few words are common and most are rare, as in speech. A
vector is drawn from the text's checksum, near the vector of its topic, so that a query has near neighbors.
"""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import numpy as np
from langchain_core.embeddings import Embeddings

DIMS: Final = 384
_TOPICS: Final = 256
_SYLLABLES: Final = "ba ko mi ra to ne li su da vo pe gu fa ze hi jo wu ca ny ro".split()


def _made(count: int, seed: int) -> list[str]:
    """So many words of three or four syllables."""
    rng = random.Random(seed)
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(rng.choices(_SYLLABLES, k=rng.choice((3, 4))))] = None
    return list(words)


class _Skewed:
    """Words of which the n-th is drawn with a weight of 1 / (n + 3), as Zipf found of languages."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._weights = list(accumulate(1 / (place + 3) for place in range(len(words))))

    def draw(self, rng: random.Random, count: int) -> list[str]:
        return rng.choices(self._words, cum_weights=self._weights, k=count)


_NAMES: Final = _Skewed([word.title() for word in _made(300, 1)])
_VERBS: Final = _Skewed("likes bought visited wants lost found repaired mentioned planned sold cooked painted".split())
_THINGS: Final = _Skewed(_made(6_000, 2))
_PLACES: Final = _Skewed([word.title() for word in _made(1_000, 3)])
_TIMES: Final = "yesterday,last week,in spring,every Monday,on holiday,before dinner,at work,years ago".split(",")


def sentence(number: int) -> str:
    """The text of a number: always the same one, and different for every number."""
    rng = random.Random(number)
    (name,), (verb,), things, (place,) = (
        _NAMES.draw(rng, 1), _VERBS.draw(rng, 1), _THINGS.draw(rng, 5), _PLACES.draw(rng, 1)
    )  # fmt: skip
    return (
        f"{name} {verb} the {things[0]} {things[1]} with {things[2]} and {things[3]} in {place} "
        f"{rng.choice(_TIMES)}, number {number} {things[4]}."
    )


def question(number: int) -> str:
    """A query of a number: some words of one text, asked."""
    rng = random.Random(-number - 1)
    return (
        f"What did {_NAMES.draw(rng, 1)[0]} do with the {' '.join(_THINGS.draw(rng, 2))} in {_PLACES.draw(rng, 1)[0]}?"
    )


class Prepared(Embeddings):
    """Vectors of unit length near one of some topics, by a text's checksum.

    Attributes:
        spent: Seconds spent here, which measurements leave out.
    """

    dims = DIMS
    model = "prepared"

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        self._topics = rng.standard_normal((_TOPICS, DIMS), dtype=np.float32)
        self._noise = rng.standard_normal((4_096, DIMS), dtype=np.float32)
        self.spent = 0.0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text."""
        start = time.perf_counter()
        vectors = [list(row) for row in self.vectors(texts).tolist()]
        self.spent += time.perf_counter() - start
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of a text."""
        return self.embed_documents([text])[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text, without a thread."""
        return self.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        """The vector of a text, without a thread."""
        return self.embed_query(text)

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Shape (len(texts), DIMS), unit length."""
        sums = np.array([zlib.crc32(text.encode()) for text in texts])
        mixed = self._topics[sums % _TOPICS] + self._noise[sums // _TOPICS % 4_096] + self._noise[sums // 2**20 % 4_096]
        return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
