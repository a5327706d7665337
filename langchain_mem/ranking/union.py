"""Several owners' documents as one: their words count together, and a session that two owners share is one group."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from langchain_mem.ranking.index import Index
from langchain_mem.ranking.order import NOBODY
from langchain_mem.ranking.parts import Mask, Places
from langchain_mem.ranking.scale import Scale
from langchain_mem.ranking.widths import Layout, Postings


class Together:
    """Indexes that are searched at once, their documents numbered one index after the other.

    Good for as long as none of them changes.

    Args:
        indexes: One or more.
    """

    def __init__(self, indexes: Sequence[Index[Any]]) -> None:
        self.indexes = tuple(indexes)
        self.starts = np.cumsum([0, *(index.size for index in indexes)])
        self._starts: list[int] = self.starts.tolist()
        self.layout = indexes[0].layout() if len(indexes) == 1 else _joined(self.indexes, self.starts)

    @property
    def size(self) -> int:
        """How many numbers there are, those of dead documents included."""
        return int(self.starts[-1])

    def find(self, number: int) -> tuple[Index[Any], int]:
        """The index that a number belongs to, and the document's number there."""
        at = bisect_right(self._starts, number) - 1
        return self.indexes[at], number - self._starts[at]

    def words(self, query: str) -> list[Postings]:
        """The postings of each of a query's words."""
        each = [index.words(query) for index in self.indexes]
        return [self._shifted(several) for several in zip(*each, strict=True)]

    def cosines(self, vector: npt.NDArray[np.float32] | None, scale: Scale | None = None) -> npt.NDArray[np.float64]:
        """Shape (size,): of each document's embedding and this one, as `Index.cosines` gives it."""
        return np.concatenate([index.cosines(vector, scale) for index in self.indexes])

    def asks(self) -> Mask:
        """Which documents are questions."""
        return np.concatenate([index.asks for index in self.indexes])

    def links(self) -> tuple[Places, Places]:
        """Which documents rest on which."""
        both = [index.links() for index in self.indexes]
        citing, cited = (
            np.concatenate([pair[side] + start for pair, start in zip(both, self.starts, strict=False)])
            for side in (0, 1)
        )
        return citing, cited

    def joined(self, masks: Sequence[Mask]) -> Mask:
        """One mask for each index as one of all documents."""
        return np.concatenate(list(masks))

    def _shifted(self, several: Sequence[Postings]) -> Postings:
        if len(several) == 1:
            return several[0]
        documents = [found + start for (found, _), start in zip(several, self.starts, strict=False)]
        return np.concatenate(documents), np.concatenate([counts for _, counts in several])


class _Groups(NamedTuple):
    """Where each index's groups are numbered when all are."""

    names: dict[str, int]
    numbers: list[Places]


def _joined(indexes: Sequence[Index[Any]], starts: Places) -> Layout:
    layouts = [index.layout() for index in indexes]
    groups = _numbered(indexes)
    group = np.concatenate(
        [np.append(numbers, NOBODY)[layout.group] for numbers, layout in zip(groups.numbers, layouts, strict=True)]
    )
    joined = Layout(
        living=np.concatenate([layout.living for layout in layouts]),
        lengths=np.concatenate([layout.lengths for layout in layouts]),
        before=np.concatenate([_shift(each.before, start) for each, start in zip(layouts, starts, strict=False)]),
        after=np.concatenate([_shift(each.after, start) for each, start in zip(layouts, starts, strict=False)]),
        group=group,
        group_lengths=_added([layout.group_lengths for layout in layouts], groups),
        members=_added([layout.members for layout in layouts], groups),
    )
    _weave(joined, indexes, starts)
    return joined


def _numbered(indexes: Sequence[Index[Any]]) -> _Groups:
    names: dict[str, int] = {}
    numbers = [
        np.array([names.setdefault(name, len(names)) for name in index.groups()], dtype=np.intp) for index in indexes
    ]
    return _Groups(names, numbers)


def _added(values: Sequence[npt.NDArray[np.int64]], groups: _Groups) -> npt.NDArray[np.int64]:
    total = np.zeros(len(groups.names), dtype=np.int64)
    for each, numbers in zip(values, groups.numbers, strict=True):
        total[numbers] += each
    return total


def _shift(neighbors: npt.NDArray[np.int32], start: int) -> npt.NDArray[np.int32]:
    return np.where(neighbors == NOBODY, NOBODY, neighbors + start).astype(np.int32)


def _weave(layout: Layout, indexes: Sequence[Index[Any]], starts: Places) -> None:
    """Orders the documents of groups that several indexes have."""
    for name in _shared(indexes):
        standings = [
            (*standing[:-1], standing[-1] + start)
            for index, start in zip(indexes, starts, strict=False)
            if name in index.groups()
            for standing in index.standing(index.groups()[name])
        ]
        documents = np.array([standing[-1] for standing in sorted(standings)], dtype=np.int32)
        layout.before[documents[1:]], layout.after[documents[:-1]] = documents[:-1], documents[1:]
        layout.before[documents[:1]] = layout.after[documents[-1:]] = NOBODY


def _shared(indexes: Sequence[Index[Any]]) -> set[str]:
    seen: set[str] = set()
    shared: set[str] = set()
    for index in indexes:
        shared |= seen & index.groups().keys()
        seen |= index.groups().keys()
    return shared
