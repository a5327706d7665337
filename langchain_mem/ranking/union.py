"""Several owners' documents as one: their words count together, and a session that two owners share is one group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from langchain_mem.ranking.bm25 import Layout
from langchain_mem.ranking.index import Index
from langchain_mem.ranking.order import NOBODY
from langchain_mem.ranking.parts import Floats, Mask, Parts, Places
from langchain_mem.ranking.scale import Compared, Scale
from langchain_mem.ranking.situations import Situations, Wanted
from langchain_mem.ranking.words import Found


class Together:
    """Indexes that are searched at once, their documents numbered one index after the other.

    Good for as long as none of them changes. It is asked as an `Index` is.

    Args:
        indexes: Two or more.
    """

    def __init__(self, indexes: Sequence[Index[Any]]) -> None:
        self._indexes = tuple(indexes)
        self._starts = np.cumsum([0, *(index.size for index in indexes)])
        self._layout = _joined(self._indexes, self._starts)

    @property
    def size(self) -> int:
        """How many numbers there are, those of dead documents included."""
        return int(self._starts[-1])

    def cosines(self, vector: npt.NDArray[np.float32] | None, scale: Scale | None = None) -> Floats:
        """Shape (size,): of each document's embedding and this one, as `Index.cosines` gives it."""
        return self.compared(vector, scale).stored

    def compared(self, vector: npt.NDArray[np.float32] | None, scale: Scale | None = None) -> Compared:
        """The same from each point that `scale` compares from, as `Index.compared` gives it."""
        each = [index.compared(vector, scale) for index in self._indexes]
        if all(one.ordinary is one.stored for one in each):
            return Compared.same(np.concatenate([one.stored for one in each]))
        return Compared(*map(np.concatenate, zip(*each, strict=True)))

    def weights(self, situations: Situations) -> Floats:
        """Shape (size,): how much each document weighs, as `Index.weights` gives it."""
        return np.concatenate([index.weights(situations) for index in self._indexes])

    def fits(self, numbers: Places, wanted: Wanted) -> Floats:
        """How well each of these documents is of a kind that is wanted."""
        fits = np.zeros(len(numbers))
        for index, start in zip(self._indexes, self._starts, strict=False):
            own = (numbers >= start) & (numbers < start + index.size)
            if own.any():
                fits[own] = index.fits(numbers[own] - start, wanted)
        return fits

    def passing(self, situations: Situations) -> Floats:
        """Shape (size,): how much each document hardly matters for the present, as `Index.passing` gives it."""
        return np.concatenate([index.passing(situations) for index in self._indexes])

    def about(self, query: str) -> list[Places]:
        """For each everyday subject of a query, which documents have a word of it, as `Index.about` gives it."""
        each = [index.about(query) for index in self._indexes]
        starts = self._starts[:-1]
        return [np.concatenate([a + b for a, b in zip(one, starts, strict=True)]) for one in zip(*each, strict=True)]

    def parts(self, query: str, cosines: Floats, eligible: Mask) -> Parts:
        """What a query found in every document, as `Index.parts` gives it."""
        each = [index.words(query) for index in self._indexes]
        words = [self._shifted(several) for several in zip(*each, strict=True)]
        asks = np.concatenate([index.asks for index in self._indexes])
        return self._layout.parts(words, cosines, asks, eligible, self._links())

    def handles_of(self, numbers: Places) -> list[Any]:
        """The handles of the documents that have these numbers."""
        return [handle for _, handle in map(self._key, numbers.tolist())]

    def first(self, numbers: Places, count: int) -> Places:
        """Those of some documents whose keys come first, at most so many."""
        return np.array(sorted(numbers.tolist(), key=self._key)[:count], dtype=np.intp)

    def ranks(self, numbers: Places) -> Places:
        """The places of some documents by key, from 0."""
        keys = [self._key(number) for number in numbers.tolist()]
        return np.argsort(np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp))

    def _key(self, number: int) -> tuple[str, Any]:
        at = int(np.searchsorted(self._starts, number, side="right")) - 1
        return self._indexes[at].key(number - int(self._starts[at]))

    def _links(self) -> tuple[Places, Places]:
        both = [index.links() for index in self._indexes]
        citing, cited = (
            np.concatenate([pair[side] + start for pair, start in zip(both, self._starts, strict=False)])
            for side in (0, 1)
        )
        return citing, cited

    def _shifted(self, several: Sequence[Found]) -> Found:
        documents = [found + start for (found, _), start in zip(several, self._starts, strict=False)]
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
