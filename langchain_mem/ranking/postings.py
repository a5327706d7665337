"""Which document has which word how often, for documents that come one by one or by thousands.

Most of it is one array sorted by word; what came since stands beside it, word by word, and is merged into it when it
has grown to an eighth of it. So a write appends, and a word is read in one slice and one small array.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from langchain_mem.ranking.bm25 import tokenize, words_of
from langchain_mem.ranking.parts import Places

_MERGE_AT: Final = 4_096  # postings that may stand beside the sorted ones, at least
_BETWEEN: Final = "\x00"  # stands in no word


class Vocabulary(dict[str, tuple[int, ...]]):
    """The numbers of the tokens that each written word stands for: none for a stop word, several for unspaced script.

    Words are looked up by a C loop; only one that was never seen reaches Python.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tokens: dict[str, int] = {}

    def __missing__(self, word: str) -> tuple[int, ...]:
        numbers = tuple(self.number(token) for token in tokenize(word))
        self[word] = numbers
        return numbers

    def number(self, token: str) -> int:
        """The number of a token; a new one where it was never seen."""
        return self.tokens.setdefault(token, len(self.tokens))


class Postings:
    """Documents and counts by token."""

    def __init__(self) -> None:
        self._vocabulary = Vocabulary()
        self._starts = np.zeros(1, dtype=np.int64)
        self._documents = np.zeros(0, dtype=np.int32)
        self._counts = np.zeros(0, dtype=np.int32)
        self._recent: dict[int, tuple[array[int], array[int]]] = {}
        self._waiting = 0

    @property
    def nbytes(self) -> int:
        """About the memory it takes."""
        sorted_ones = self._starts.nbytes + self._documents.nbytes + self._counts.nbytes
        return sorted_ones + 16 * self._waiting + 150 * len(self._vocabulary)

    def extend(self, texts: Sequence[str], first: int) -> npt.NDArray[np.int64]:
        """Takes in texts of the documents numbered from `first`.

        Returns:
            How many tokens each text has.
        """
        if len(texts) < 32:  # below, arrays cost more than they save
            return np.array([self._append(text, first + i) for i, text in enumerate(texts)], dtype=np.int64)
        terms, documents = self._numbered(texts)
        lengths = np.bincount(documents, minlength=len(texts))
        pairs, counts = np.unique(terms * len(texts) + documents, return_counts=True)
        self._merge(pairs // len(texts), pairs % len(texts) + first, counts)
        return lengths.astype(np.int64)

    def of(self, token: str) -> tuple[Places, npt.NDArray[np.int64]]:
        """The documents that have a token, each once and in no order, and how often they have it."""
        term = self._vocabulary.tokens.get(token)
        if term is None:
            return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.int64)
        span = slice(*self._starts[term : term + 2]) if term + 1 < len(self._starts) else slice(0, 0)
        documents, counts = self._documents[span], self._counts[span]
        if term in self._recent:
            more, often = self._recent[term]
            documents, counts = np.concatenate([documents, np.array(more)]), np.concatenate([counts, np.array(often)])
        return documents.astype(np.intp), counts.astype(np.int64)

    def renumber(self, places: Places) -> None:
        """Gives documents new numbers, and forgets those whose place is negative."""
        self._merge(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
        terms = np.repeat(np.arange(len(self._starts) - 1), np.diff(self._starts))
        documents = places[self._documents]
        stay = documents >= 0
        self._sort(terms[stay], documents[stay], self._counts[stay].astype(np.int64))

    def _append(self, text: str, document: int) -> int:
        tokens = tokenize(text)
        for token, count in Counter(tokens).items():
            documents, counts = self._recent.setdefault(self._vocabulary.number(token), (array("i"), array("i")))
            documents.append(document)
            counts.append(count)
            self._waiting += 1
        if self._waiting > max(_MERGE_AT, len(self._documents) // 8):
            self._merge(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
        return len(tokens)

    def _numbered(self, texts: Sequence[str]) -> tuple[Places, Places]:
        """Every token of every text: its number, and that of its text."""
        found = words_of(_BETWEEN.join(text.replace(_BETWEEN, " ") for text in texts), between=_BETWEEN)
        self._vocabulary[_BETWEEN] = (-1,)
        spelled = list(map(self._vocabulary.__getitem__, found))
        terms = np.fromiter((number for numbers in spelled for number in numbers), dtype=np.int64)
        breaks = terms < 0
        return terms[~breaks], np.cumsum(breaks, dtype=np.int64)[~breaks]

    def _merge(self, terms: Places, documents: Places, counts: Places) -> None:
        """Brings what stands aside, and these, into the sorted arrays."""
        terms_, documents_, counts_ = self._aside()
        before = np.repeat(np.arange(len(self._starts) - 1), np.diff(self._starts))
        self._sort(
            np.concatenate([before, terms_, terms]),
            np.concatenate([self._documents, documents_, documents]),
            np.concatenate([self._counts, counts_, counts]),
        )

    def _aside(self) -> tuple[Places, Places, Places]:
        recent, self._recent, self._waiting = self._recent, {}, 0
        sizes = [len(documents) for documents, _ in recent.values()]
        terms = np.repeat(np.array(list(recent), dtype=np.int64), sizes)
        return terms, _joined(each for each, _ in recent.values()), _joined(each for _, each in recent.values())

    def _sort(self, terms: Places, documents: Places, counts: Places) -> None:
        order = np.argsort(terms, kind="stable")
        self._documents, self._counts = documents[order].astype(np.int32), counts[order].astype(np.int32)
        self._starts = np.searchsorted(terms[order], np.arange(len(self._vocabulary.tokens) + 1))


def _joined(arrays: Iterable[array[int]]) -> npt.NDArray[np.int64]:
    several = [np.array(each, dtype=np.int64) for each in arrays]
    return np.concatenate(several) if several else np.zeros(0, dtype=np.int64)
