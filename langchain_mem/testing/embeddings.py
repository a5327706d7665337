"""An embedder that needs no model: texts that share words point the same way."""

from __future__ import annotations

import functools
import hashlib
import re

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from langchain_mem.ranking.scale import Scale
from langchain_mem.ranking.situations import Situations, table

_WORD = re.compile(r"\w+")


class FakeEmbeddings(Embeddings):
    """Hashes each word to a fixed random direction and adds them up: deterministic, and similar for shared words.

    A text without words points at a direction of its own, so that every vector has unit length. What was asked for
    is counted, and a failure can be ordered.

    Attributes:
        dims: Length of a vector.
        scale: Says that cosines are to be taken as they are, so that nothing has to be measured.
        situations: What it makes of everyday situations, measured once in a process and not by each store.
        texts: Every text embedded as a document, in order.
        batches: How many calls of `embed_documents` there were.
        queries: Every text embedded as a query, in order.
        fail_with: Raised by every call while it is set.
    """

    def __init__(self, dims: int = 64) -> None:
        self.dims = dims
        self.scale = Scale.plain(dims)
        self.texts: list[str] = []
        self.batches = 0
        self.queries: list[str] = []
        self.fail_with: Exception | type[Exception] | None = None

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One unit vector of `dims` numbers for each text."""
        self._fail()
        self.batches += 1
        self.texts.extend(texts)
        return [self._vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """The same vector that `embed_documents` gives this text, counted apart."""
        self._fail()
        self.queries.append(text)
        return self._vector(text)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """As `embed_documents`."""
        return self.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        """As `embed_query`."""
        return self.embed_query(text)

    @property
    def situations(self) -> Situations:
        """What a store would measure of it at the first search."""
        return _situations(self.dims)

    def _fail(self) -> None:
        if self.fail_with is not None:
            raise self.fail_with

    def _vector(self, text: str) -> list[float]:
        vector: list[float] = _unit(text, self.dims).tolist()
        return vector


@functools.cache
def _situations(dims: int) -> Situations:
    vectors = np.array([_unit(sentence, dims) for sentence in table().sentences], dtype=np.float32)
    return Situations.of(vectors, Scale.plain(dims))


def _unit(text: str, dims: int) -> NDArray[np.float64]:
    words = _WORD.findall(text.casefold()) or [f"no words: {text}"]
    total: NDArray[np.float64] = np.sum([_direction(word, dims) for word in words], axis=0)
    return total / np.linalg.norm(total)


@functools.lru_cache(maxsize=4096)
def _direction(word: str, dims: int) -> NDArray[np.float64]:
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest)).standard_normal(dims)
