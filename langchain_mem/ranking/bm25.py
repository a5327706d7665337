"""How much of a query's words a memory has: BM25 at three widths.

A chat turn says little by itself: "Yes, two of them!" is found by the words before it. So a memory is scored by its own
words, by those of its window, and by those of its whole group (the session it stood in). The window is the memory and
the one before it in its group, with half of the one before that and half of the one after: what a turn answers stands
before it, and its speaker's last words stand before that.

    idf(t)   = ln(1 + (N + 30 - df + 0.5) / (df + 0.5))          df of N memories have the word
    tf'(t,x) = tf / (tf + k1·(1 - b + b·|x| / avg|x|))           x = the memory, its window, or its group
    score(x) = Σ_t idf(t)·tf'(t,x) / Σ_t idf(t)                  t over the query's words; 0 ≤ score < 1

This is BM25 (Robertson & Zaragoza 2009, in Lucene's form) over the most it could be: the share of the query's rare
words that were found. A word that no memory has counts among them, so a query of unknown words scores 0 and one known
word in ten scores a tenth. The 30 are imagined memories without the word, because in a store of two the counts say
nothing about which words are rare.

Only the postings of the query's own words are ever scored, so one index serves all three widths. A search costs a few
passes over arrays: a word touches the documents in its postings, those whose window holds one of them, and their
groups. (`bm25s` scores every word of every text ahead: three indexes, and 0.8 s to import.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from langchain_mem.ranking.order import NOBODY
from langchain_mem.ranking.parts import Floats, Mask, Parts, Places
from langchain_mem.ranking.words import Found

K1 = 1.5  # BM25's usual saturation …
B = 0.75  # … and length normalization (Robertson & Zaragoza 2009, section 3.6)
BEFORE, AFTER, EARLIER = 1.0, 0.5, 0.5  # of the memory before, of the one after, of the one before the one before
BACKGROUND = 30  # imagined memories without the word: rarity in a small store is near a large one's


class Widths(NamedTuple):
    """What of the query was found, from 0 to below 1 for each document, at three widths."""

    own: Floats
    neighbors: Floats
    session: Floats


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How documents stand, as `order.Order` keeps it: shape (documents,), or (groups,) for the last two.

    Good for as long as no document comes or goes. What only depends on it is worked out at the first search.

    Attributes:
        living: Which documents there still are; the others have no neighbors and no group.
        lengths: Tokens of each.
        before: The document before each, or `NOBODY`.
        after: The one after it.
        group: The number of its group, or `NOBODY`.
        group_lengths: Tokens of each group.
        members: Documents of each group.
    """

    living: Mask
    lengths: npt.NDArray[np.int64]
    before: npt.NDArray[np.int32]
    after: npt.NDArray[np.int32]
    group: npt.NDArray[np.int32]
    group_lengths: npt.NDArray[np.int64]
    members: npt.NDArray[np.int64]

    def scores(self, words: Sequence[Found]) -> Widths:
        """Every document's share of the words at each width; those that have none of them get 0.

        Args:
            words: The postings of each of the query's words, which may be empty.
        """
        found = [self._present(*word) for word in words]
        if not found:
            return Widths(*(np.zeros(len(self.living)) for _ in Widths._fields))
        weights = idf(np.array([len(documents) for documents, _ in found]), self._size)
        windows, groups = [self._windowed(*word) for word in found], [self._grouped(*word) for word in found]
        own, near, session = self._halves
        by_group = _shares(groups, weights, session)
        return Widths(
            own=_shares(found, weights, own),
            neighbors=_shares(windows, weights, near),
            session=np.asarray(np.append(by_group, 0.0)[self.group]),
        )

    def parts(
        self,
        words: Sequence[Found],
        cosines: Floats,
        asks: Mask,
        eligible: Mask,
        links: tuple[Places, Places],
    ) -> Parts:
        """What a query found in every document.

        Args:
            words: The postings of each of its words.
            cosines: Of its vector and each document's; NaN where there is none.
            asks: Which documents are questions.
            eligible: Which documents may be found.
            links: Which document rests on which.
        """
        own, neighbors, session = self.scores(words)
        return Parts(
            cosine=cosines,
            before=np.append(cosines, np.nan)[self.before],
            lexical=own,
            neighbors=np.where(self.alone, np.nan, neighbors),
            session=np.where(self.alone, np.nan, session),
            length=self.lengths.astype(np.float64),
            asks=asks,
            eligible=eligible,
            citing=links[0],
            cited=links[1],
        )

    @cached_property
    def alone(self) -> Mask:
        """Which documents stand in no group."""
        return np.asarray(self.group == NOBODY)

    @cached_property
    def _size(self) -> int:
        return int(np.count_nonzero(self.living))

    @cached_property
    def _halves(self) -> tuple[Floats, Floats, Floats]:
        """How often a word has to be in each document, in each window and in each group to count half."""
        windows = self._window_lengths()
        return (
            saturation(self.lengths, self._typical(self.lengths)),
            saturation(windows, self._typical(windows)),
            saturation(self.group_lengths, self._typical_group()),
        )

    def _present(self, documents: Places, counts: npt.NDArray[np.int64]) -> Found:
        here = self.living[documents]
        return documents[here], counts[here]

    def _typical(self, lengths: npt.NDArray[Any]) -> float:
        living = lengths[self.living]
        return float(living.mean()) if living.any() else 1.0

    def _typical_group(self) -> float:
        """A document that stands alone is a group by itself, and counted as one."""
        size = int(np.count_nonzero(self.members)) + int(np.count_nonzero(self.living & self.alone))
        total = int(self.lengths[self.living].sum())
        return total / size if total else 1.0

    def _windowed(self, documents: Places, counts: npt.NDArray[np.int64]) -> tuple[Places, Floats]:
        """Which windows have a word, and how often. No two documents stand before the same one, so each adds once."""
        row = np.zeros(len(self.living) + 1)  # the last one is nobody's
        row[documents] = counts
        after = self.after[documents]
        row[after] += BEFORE * counts
        row[self.before[documents]] += AFTER * counts
        row[self._beyond(self.after, after)] += EARLIER * counts
        touched = np.flatnonzero(row[:-1])
        return touched, row[touched]

    def _window_lengths(self) -> Floats:
        padded = np.append(self.lengths, 0).astype(np.float64)  # nobody, the last, has no tokens
        earlier = self._beyond(self.before, self.before)
        around = BEFORE * padded[self.before] + AFTER * padded[self.after] + EARLIER * padded[earlier]
        return np.asarray(padded[:-1] + around)

    @staticmethod
    def _beyond(beside: npt.NDArray[np.int32], of: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Who stands beside these documents; beside nobody stands nobody."""
        return np.asarray(np.where(of == NOBODY, NOBODY, beside[of]) if len(beside) else of)

    def _grouped(self, documents: Places, counts: npt.NDArray[np.int64]) -> tuple[Places, Floats]:
        groups = self.group[documents]
        row = np.bincount(groups[groups != NOBODY], weights=counts[groups != NOBODY], minlength=len(self.members))
        touched = np.flatnonzero(row)
        return touched, row[touched].astype(np.float64)


def _shares(found: Sequence[tuple[Places, npt.NDArray[Any]]], weights: Floats, halves: Floats) -> Floats:
    """The module's formula, for the texts that have some of the words.

    Args:
        found: For each word the texts that have it, and how often.
        weights: How rare each word is.
        halves: How often a word has to be in each text to count half.
    """
    scores = np.zeros(len(halves))
    for weight, (texts, counts) in zip(weights, found, strict=True):
        scores[texts] += weight * (counts / (counts + halves[texts]))
    return np.asarray(scores / weights.sum())


def idf(found_in: Floats | npt.NDArray[np.int64], size: int) -> Floats:
    """How rare words are, each found in so many memories.

    Args:
        found_in: In how many of the memories each word is.
        size: How many memories there are.
    """
    return np.asarray(np.log1p((size + BACKGROUND - found_in + 0.5) / (found_in + 0.5)))


def saturation(lengths: Floats | npt.NDArray[np.int64], typical: float) -> Floats:
    """How often a word has to be in a text of a length to count half.

    Args:
        lengths: Tokens of each text.
        typical: The mean of them.
    """
    return np.asarray(K1 * (1 - B + B * lengths / typical))
