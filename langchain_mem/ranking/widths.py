"""BM25 at three widths for the documents that a query's words touch; the formula is in `bm25`.

Nothing here costs more than a few passes over arrays: a word touches the documents in its postings, the one on either
side of each, and their groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from langchain_mem.ranking.bm25 import Widths, idf, saturation
from langchain_mem.ranking.order import NOBODY
from langchain_mem.ranking.parts import Floats, Mask, Places

Postings: TypeAlias = tuple[Places, npt.NDArray[np.int64]]
"""The documents that have a word, each once, and how often they have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How documents stand, as `order.Order` keeps it: shape (documents,), or (groups,) for the last two.

    Attributes:
        living: Which documents there still are; the others have no neighbors and no group.
        lengths: Tokens of each.
        windows: Tokens of each and of those beside it.
        before: The document before each, or `NOBODY`.
        after: The one after it.
        group: The number of its group, or `NOBODY`.
        group_lengths: Tokens of each group.
        members: Documents of each group.
    """

    living: Mask
    lengths: npt.NDArray[np.int64]
    windows: npt.NDArray[np.int64]
    before: npt.NDArray[np.int32]
    after: npt.NDArray[np.int32]
    group: npt.NDArray[np.int32]
    group_lengths: npt.NDArray[np.int64]
    members: npt.NDArray[np.int64]

    def scores(self, words: Sequence[Postings]) -> Widths:
        """Every document's share of the words at each width; those that have none of them get 0.

        Args:
            words: The postings of each of the query's words, which may be empty.
        """
        found = [self._present(*word) for word in words]
        return Widths(own=self._own(found), neighbors=self._neighbors(found), session=self._session(found))

    @property
    def alone(self) -> Mask:
        """Which documents stand in no group."""
        return np.asarray(self.group == NOBODY)

    def _present(self, documents: Places, counts: npt.NDArray[np.int64]) -> Postings:
        here = self.living[documents]
        return documents[here], counts[here]

    def _own(self, found: Sequence[Postings]) -> Floats:
        size, total = self._size(), int(self.lengths[self.living].sum())
        return _shares(found, self.lengths, len(self.living), size, total)

    def _neighbors(self, found: Sequence[Postings]) -> Floats:
        size, total = self._size(), int(self.windows[self.living].sum())
        windows = [self._windowed(*word) for word in found]
        return _shares(windows, self.windows, len(self.living), size, total)

    def _windowed(self, documents: Places, counts: npt.NDArray[np.int64]) -> Postings:
        """Which windows have a word, and how often. No two documents stand before the same one, so each adds once."""
        row = np.zeros(len(self.living) + 1, dtype=np.int64)  # the last one is nobody's
        row[documents] = counts
        row[self.before[documents]] += counts
        row[self.after[documents]] += counts
        touched = np.flatnonzero(row[:-1])
        return touched, row[touched]

    def _session(self, found: Sequence[Postings]) -> Floats:
        """By group; a document that stands alone is a group by itself, and counted as one."""
        alone = self.living & self.alone
        size = int(np.count_nonzero(self.members)) + int(np.count_nonzero(alone))
        single = [int(np.count_nonzero(alone[documents])) for documents, _ in found]
        grouped = [self._grouped(*word) for word in found]
        total = int(self.lengths[self.living].sum())
        by_group = _shares(grouped, self.group_lengths, len(self.members), size, total, single)
        return np.asarray(np.append(by_group, 0.0)[self.group])

    def _grouped(self, documents: Places, counts: npt.NDArray[np.int64]) -> Postings:
        groups = self.group[documents]
        row = np.bincount(groups[groups != NOBODY], weights=counts[groups != NOBODY], minlength=len(self.members))
        touched = np.flatnonzero(row)
        return touched, row[touched].astype(np.int64)

    def _size(self) -> int:
        return int(np.count_nonzero(self.living))


def _shares(
    found: Sequence[Postings],
    lengths: npt.NDArray[Any],
    places: int,
    size: int,
    total: int,
    elsewhere: Sequence[int] = (),
) -> Floats:
    """The formula of `bm25`, for the texts that have some of the words.

    Args:
        found: For each word the texts that have it.
        lengths: Tokens of each text.
        places: How many scores to return.
        size: How many texts there are.
        total: How many tokens they have together.
        elsewhere: For each word, in how many texts it is beside those that are scored.
    """
    scores = np.zeros(places)
    if not found:
        return scores
    in_texts = np.array([len(texts) for texts, _ in found]) + (np.array(elsewhere) if elsewhere else 0)
    weights = idf(in_texts, size)
    typical = total / size if total else 1.0
    for weight, (texts, counts) in zip(weights, found, strict=True):
        scores[texts] += weight * (counts / (counts + saturation(lengths[texts], typical)))
    return np.asarray(scores / weights.sum())
