"""BM25 at three widths for the documents that a query's words touch; the formula is in `bm25`.

Nothing here costs more than a few passes over arrays: a word touches the documents in its postings, those whose window
holds one of them, and their groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from langchain_mem.ranking.bm25 import AFTER, BEFORE, EARLIER, Widths, idf, saturation
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

    def scores(self, words: Sequence[Postings]) -> Widths:
        """Every document's share of the words at each width; those that have none of them get 0.

        Args:
            words: The postings of each of the query's words, which may be empty.
        """
        found = [self._present(*word) for word in words]
        if not found:
            return Widths(*(np.zeros(len(self.living)) for _ in Widths._fields))
        weights = idf(np.array([len(documents) for documents, _ in found]), self._size())
        return Widths(
            own=_shares(found, weights, self.lengths, len(self.living), self._typical(self.lengths)),
            neighbors=self._neighbors(found, weights),
            session=self._session(found, weights),
        )

    @property
    def alone(self) -> Mask:
        """Which documents stand in no group."""
        return np.asarray(self.group == NOBODY)

    def _present(self, documents: Places, counts: npt.NDArray[np.int64]) -> Postings:
        here = self.living[documents]
        return documents[here], counts[here]

    def _typical(self, lengths: npt.NDArray[Any]) -> float:
        living = lengths[self.living]
        return float(living.mean()) if living.any() else 1.0

    def _neighbors(self, found: Sequence[Postings], weights: Floats) -> Floats:
        windows = [self._windowed(*word) for word in found]
        lengths = self._window_lengths()
        return _shares(windows, weights, lengths, len(self.living), self._typical(lengths))

    def _windowed(self, documents: Places, counts: npt.NDArray[np.int64]) -> tuple[Places, Floats]:
        """Which windows have a word, and how often. No two documents stand before the same one, so each adds once."""
        row = np.zeros(len(self.living) + 1)  # the last one is nobody's
        row[documents] = counts
        after = self._beyond(self.after)
        row[self.after[documents]] += BEFORE * counts
        row[self.before[documents]] += AFTER * counts
        row[after[documents]] += EARLIER * counts
        touched = np.flatnonzero(row[:-1])
        return touched, row[touched]

    def _window_lengths(self) -> Floats:
        padded = np.append(self.lengths, 0).astype(np.float64)  # nobody, the last, has no tokens
        earlier = self._beyond(self.before)
        around = BEFORE * padded[self.before] + AFTER * padded[self.after] + EARLIER * padded[earlier]
        return np.asarray(padded[:-1] + around)

    @staticmethod
    def _beyond(beside: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """The neighbor's neighbor on the same side."""
        return np.append(beside, np.int32(NOBODY))[beside]

    def _session(self, found: Sequence[Postings], weights: Floats) -> Floats:
        """By group; a document that stands alone is a group by itself, and counted as one."""
        size = int(np.count_nonzero(self.members)) + int(np.count_nonzero(self.living & self.alone))
        total = int(self.lengths[self.living].sum())
        grouped = [self._grouped(*word) for word in found]
        by_group = _shares(grouped, weights, self.group_lengths, len(self.members), total / size if total else 1.0)
        return np.asarray(np.append(by_group, 0.0)[self.group])

    def _grouped(self, documents: Places, counts: npt.NDArray[np.int64]) -> tuple[Places, Floats]:
        groups = self.group[documents]
        row = np.bincount(groups[groups != NOBODY], weights=counts[groups != NOBODY], minlength=len(self.members))
        touched = np.flatnonzero(row)
        return touched, row[touched].astype(np.float64)

    def _size(self) -> int:
        return int(np.count_nonzero(self.living))


def _shares(
    found: Sequence[tuple[Places, npt.NDArray[Any]]],
    weights: Floats,
    lengths: npt.NDArray[Any],
    places: int,
    typical: float,
) -> Floats:
    """The formula of `bm25`, for the texts that have some of the words.

    Args:
        found: For each word the texts that have it, and how often.
        weights: How rare each word is.
        lengths: Tokens of each text.
        places: How many scores to return.
        typical: How many tokens a text has on average.
    """
    scores = np.zeros(places)
    for weight, (texts, counts) in zip(weights, found, strict=True):
        scores[texts] += weight * (counts / (counts + saturation(lengths[texts], typical)))
    return np.asarray(scores / weights.sum())
