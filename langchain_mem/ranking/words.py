"""Which document has which word how often.

Most postings are in one array sorted by word; those that came since stand beside it, word by word, and are merged into
it when they have grown to an eighth of it. So a write appends, and a word is read in one slice and one small array.
"""

from __future__ import annotations

import itertools
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from langchain_mem.ranking.parts import Places
from langchain_mem.ranking.tokens import tokenize, tokens_of, words_of

Found: TypeAlias = tuple[Places, npt.NDArray[np.int64]]
"""The documents that have a word, each once, and how often they have it."""

_MERGE_AT: Final = 4_096  # postings that may stand beside the sorted ones, at least
_BETWEEN: Final = "\x00"  # stands in no word


class Vocabulary(dict[str, int]):
    """The numbers of written words, which are looked up by a C loop; only one that was never seen reaches Python.

    Attributes:
        tokens: The numbers of tokens.
        spelled: For each written word the tokens it stands for: none for a stop word, several for unspaced script.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tokens: dict[str, int] = {}
        self.spelled: list[Sequence[int]] = [(-1,)]
        self[_BETWEEN] = 0

    def __missing__(self, word: str) -> int:
        number, tokens = len(self.spelled), self.tokens
        self[word] = number
        self.spelled.append([tokens.setdefault(token, len(tokens)) for token in tokens_of(word)])
        return number

    def read(self, words: Sequence[str]) -> Places:
        """The tokens of written words, one after the other; -1 for what stands between texts."""
        written = np.fromiter(map(self.__getitem__, words), dtype=np.int64, count=len(words))
        sizes = np.fromiter(map(len, self.spelled), dtype=np.int64, count=len(self.spelled))
        tokens = np.fromiter(itertools.chain.from_iterable(self.spelled), dtype=np.int64, count=int(sizes.sum()))
        each = sizes[written]
        first, ends = (np.cumsum(sizes) - sizes)[written], np.cumsum(each)
        return np.asarray(tokens[np.repeat(first - (ends - each), each) + np.arange(each.sum())])


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
        if len(texts) >= 32:  # below, arrays cost more than they save
            return self._extend_many(texts, first)
        numbers, lengths = self._vocabulary.tokens, []
        for document, tokens in enumerate(map(tokenize, texts), first):
            lengths.append(len(tokens))
            for token, count in Counter(tokens).items():
                number = numbers.setdefault(token, len(numbers))
                documents, counts = self._recent.setdefault(number, (array("i"), array("i")))
                documents.append(document)
                counts.append(count)
                self._waiting += 1
        if self._waiting > max(_MERGE_AT, len(self._documents) // 8):
            self._merge(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
        return np.array(lengths, dtype=np.int64)

    def of(self, tokens: Iterable[str]) -> list[Found]:
        """What has each of some tokens, documents that are gone among it."""
        return [self._of(token) for token in tokens]

    def having(self, tokens: Iterable[str]) -> Places:
        """What has at least one of some tokens, documents that are gone among it; some more than once."""
        known = [self._of(token)[0] for token in tokens if token in self._vocabulary.tokens]
        return np.concatenate(known) if known else np.zeros(0, dtype=np.intp)

    def renumber(self, places: Places) -> None:
        """Gives documents new numbers, and forgets those whose place is negative."""
        self._merge(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
        terms = np.repeat(np.arange(len(self._starts) - 1), np.diff(self._starts))
        documents = places[self._documents]
        stay = documents >= 0
        self._sort(terms[stay], documents[stay], self._counts[stay].astype(np.int64))

    def forget_unused(self) -> None:
        """Forgets words that no document has. To be called when all postings are sorted, as `renumber` leaves them."""
        used, names = np.flatnonzero(np.diff(self._starts)), list(self._vocabulary.tokens)
        self._vocabulary = Vocabulary()  # how words are written is learned again from what is read next
        self._vocabulary.tokens = {names[term]: number for number, term in enumerate(used.tolist())}
        self._starts = np.append(self._starts[used], len(self._documents))

    def _of(self, token: str) -> Found:
        term = self._vocabulary.tokens.get(token)
        if term is None:
            return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.int64)
        span = slice(*self._starts[term : term + 2]) if term + 1 < len(self._starts) else slice(0, 0)
        documents, counts = self._documents[span], self._counts[span]
        if term in self._recent:
            more, often = self._recent[term]
            documents, counts = np.concatenate([documents, np.array(more)]), np.concatenate([counts, np.array(often)])
        return documents.astype(np.intp), counts.astype(np.int64)

    def _extend_many(self, texts: Sequence[str], first: int) -> npt.NDArray[np.int64]:
        terms, documents = self._numbered(texts)
        lengths = np.bincount(documents, minlength=len(texts))
        pairs, counts = np.unique(terms * len(texts) + documents, return_counts=True)
        self._merge(pairs // len(texts), pairs % len(texts) + first, counts)
        return lengths.astype(np.int64)

    def _numbered(self, texts: Sequence[str]) -> tuple[Places, Places]:
        """Every token of every text: its number, and that of its text."""
        found = words_of(_BETWEEN.join(text.replace(_BETWEEN, " ") for text in texts), between=_BETWEEN)
        terms = self._vocabulary.read(found)
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
