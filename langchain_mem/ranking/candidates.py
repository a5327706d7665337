"""The few documents that could come first, and how well each answers a query.

The formula of `relevance` compares documents with the best of them, so it need not be worked out for all: enough are
those that are best by the sum of the parts, by meaning and by words, each among the documents that have the same parts;
those that cite one of these, and those that these cite.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from langchain_mem.ranking.parts import Floats, Mask, Parts, Places
from langchain_mem.ranking.relevance import Evidence, Scores, relevance, strength
from langchain_mem.ranking.union import Together

Formula: TypeAlias = Callable[[str, Parts], dict[str, Floats]]
"""A query and what of it was found in some documents -> for each field of `Evidence` one number a document."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates with their evidence.

    Attributes:
        numbers: Of the documents, as `Together` numbers them.
        scores: Their evidence, in the same order.
    """

    numbers: Places
    scores: Scores

    def best(self, threshold: float = 0.0, among: Mask | None = None) -> Iterator[tuple[int, Evidence]]:
        """Documents and their evidence, best first; ties go by key.

        Args:
            threshold: The least relevance.
            among: Shape (all documents,): those to keep; `None` for all.
        """
        found = ((int(self.numbers[at]), at) for at in self.scores.best(threshold=threshold))
        return ((number, self.scores[at]) for number, at in found if among is None or among[number])


def rank(
    together: Together,
    query: str,
    cosines: Floats,
    wanted: Sequence[Mask],
    *,
    count: int,
    formula: Formula = relevance,
) -> Ranked:
    """The documents that answer a query best.

    Args:
        together: Where to look.
        query: In the user's words.
        cosines: Of the query's embedding and each document's, NaN where there is none; see `Together.cosines`.
        wanted: Sorts of documents that may be found, each as a mask; no document is of two sorts.
        count: So many of each sort come back in the right order at least; more do as well.
        formula: What makes one relevance of the parts.
    """
    eligible = np.logical_or.reduce(wanted)
    citing, cited = together.links()
    found = _Found(together, query, cosines, eligible, (citing, cited))
    sources = np.zeros(together.size, dtype=bool)
    sources[cited[eligible[citing]]] = True
    sorts = [*wanted, sources & ~eligible]
    chosen = np.zeros(together.size, dtype=bool)
    for sort in sorts:
        for kind in found.kinds(sort):
            found.choose(chosen, kind, count)
    chosen[citing[chosen[cited]]] = True
    chosen[cited[chosen[citing]]] = True
    numbers = np.flatnonzero(chosen)
    parts = found.parts(numbers, eligible[numbers], _links_among(numbers, together.size, citing, cited))
    return Ranked(numbers, Scores(formula(query, parts), ranks=_ranks(together, numbers), results=parts.eligible))


class _Found:
    """The parts of every document, and the sums that candidates are chosen by."""

    def __init__(
        self,
        together: Together,
        query: str,
        cosines: Floats,
        eligible: Mask,
        links: tuple[Places, Places],
    ) -> None:
        self._together = together
        layout = together.layout
        self._alone = layout.alone
        self._meant = ~np.isnan(cosines)
        own, neighbors, session = layout.scores(together.words(query))
        self._all = Parts(
            cosine=cosines,
            before=np.append(cosines, np.nan)[layout.before],
            lexical=own,
            neighbors=np.where(self._alone, np.nan, neighbors),
            session=np.where(self._alone, np.nan, session),
            length=layout.lengths.astype(np.float64),
            asks=together.asks(),
            eligible=eligible,
            citing=links[0],
            cited=links[1],
        )
        near = np.where(self._alone, own, neighbors)
        self._orders = (
            strength(self._all),
            np.nan_to_num(cosines),
            np.maximum(np.nan_to_num(cosines), 0.0) + near,
        )
        self._near = near

    def kinds(self, sort: Mask) -> Iterator[Mask]:
        """The documents of a sort, those that have the same parts together."""
        for meant in (self._meant, ~self._meant):
            for alone in (self._alone, ~self._alone):
                kind = sort & meant & alone
                if kind.any():
                    yield kind

    def choose(self, chosen: Mask, kind: Mask, count: int) -> None:
        """Adds the best of a kind to those chosen."""
        documents = np.flatnonzero(kind)
        for values in self._orders:
            chosen[self._most(documents, values[documents], count)] = True
        worded = documents[self._near[documents] > 0]  # the others are all alike in this, and best in none
        chosen[self._most(worded, self._near[worded], count)] = True

    def _most(self, documents: Places, values: Floats, count: int) -> Places:
        """Those with the highest values; ties go by key, so that every engine chooses the same."""
        if len(documents) <= count:
            return documents
        rounded = values.round(7)  # engines' cosines differ by about 1e-7
        least = np.partition(rounded, len(rounded) - count)[len(rounded) - count]
        above, tied = documents[rounded > least], documents[rounded == least]
        missing = count - len(above)
        if len(tied) > missing:
            tied = np.array(heapq.nsmallest(missing, tied.tolist(), key=lambda at: _key(self._together, at)))
        return np.concatenate([above, tied])

    def parts(self, numbers: Places, eligible: Mask, links: tuple[Places, Places]) -> Parts:
        """What the formula is a function of, for these documents."""
        found = self._all
        return Parts(
            cosine=found.cosine[numbers],
            before=found.before[numbers],
            lexical=found.lexical[numbers],
            neighbors=found.neighbors[numbers],
            session=found.session[numbers],
            length=found.length[numbers],
            asks=found.asks[numbers],
            eligible=eligible,
            citing=links[0],
            cited=links[1],
        )


def _links_among(numbers: Places, size: int, citing: Places, cited: Places) -> tuple[Places, Places]:
    places = np.full(size, -1, dtype=np.intp)
    places[numbers] = np.arange(len(numbers))
    here = (places[citing] >= 0) & (places[cited] >= 0)
    return places[citing[here]], places[cited[here]]


def _ranks(together: Together, numbers: Places) -> Places:
    """The candidates' places by key."""
    keys = [_key(together, number) for number in numbers.tolist()]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return np.argsort(np.array(order, dtype=np.intp))


def _key(together: Together, number: int) -> tuple[str, Any]:
    index, own = together.find(number)
    entry = index.entry(own)
    return entry.key, entry.handle
