"""The few documents that could come first, and how well each answers a query.

The formula of `relevance` compares documents with the best of them, so it need not be worked out for all: enough are
those that are best by the sum of the parts, by meaning and by words, each among the documents that have the same parts;
those that cite one of these, and those that these cite.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from langchain_mem.ranking.parts import Floats, Mask, Parts, Places
from langchain_mem.ranking.passing import asks_of_past
from langchain_mem.ranking.relevance import Evidence, Scores, relevance, strength
from langchain_mem.ranking.scale import Compared, Scale
from langchain_mem.ranking.situations import PASSING, Situations, Wanted
from langchain_mem.ranking.subjects import shared

Formula: TypeAlias = Callable[[str, Parts], dict[str, Floats]]
"""A query and what of it was found in some documents -> for each field of `Evidence` one number a document."""

_LOOKED_AT: Final = 512  # documents whose fit to what a request wants is worked out


_SPARE: Final = 2
"""Times so many as are wanted are looked at closely, so that what others lend cannot reorder what was left out."""


class Question(NamedTuple):
    """What is asked, and what it means."""

    text: str
    """In the user's words."""
    vector: npt.NDArray[np.float32] | None
    """Its embedding; `None` where there is no embedder."""
    scale: Scale | None
    """Of the embedder."""
    wanted: Wanted | None = None
    """What such a request usually wants known; `None` where that is not asked for, or nothing."""

    def wanting(self, situations: Situations, lasting: float) -> Question:
        """The same with what such a request usually wants known.

        Args:
            situations: What the embedder makes of everyday situations.
            lasting: How strongly to prefer what is wanted, from 0 to 1.
        """
        wanted = None if self.vector is None else situations.wanted(self.vector, lasting)
        return self._replace(wanted=wanted if wanted is not None and wanted.pull else None)


class Ranked(NamedTuple):
    """A document that was found, and what speaks for it."""

    handle: Any
    evidence: Evidence


class Documents(Protocol):
    """Where candidates are looked for: an `Index`, or several as `Together`."""

    def compared(self, vector: npt.NDArray[np.float32] | None, scale: Scale | None = None) -> Compared:
        """How near each document's embedding is to this one, from each point that `scale` compares from."""

    def weights(self, situations: Situations) -> Floats:
        """Shape (size,): how much each document weighs; NaN without an embedding."""

    def passing(self, situations: Situations) -> Floats:
        """Shape (size,): how much each document is of what hardly matters for the present."""

    def fits(self, numbers: Places, wanted: Wanted) -> Floats:
        """How well each of these documents is of a kind that is wanted."""

    def about(self, query: str) -> list[Places]:
        """For each everyday subject of a query, which documents have a word of it."""

    def parts(self, query: str, cosines: Floats, eligible: Mask) -> Parts:
        """What a query found in every document."""

    def first(self, numbers: Places, count: int) -> Places:
        """Those of some documents whose keys come first, at most so many."""

    def ranks(self, numbers: Places) -> Places:
        """The places of some documents by key, from 0."""

    def handles_of(self, numbers: Places) -> list[Any]:
        """What the owner of the index knows these documents by."""


def answers(
    documents: Documents,
    question: Question,
    cosines: Floats,
    sorts: Sequence[Mask],
    *,
    limit: int,
    threshold: float = 0.0,
) -> list[list[Ranked]]:
    """The documents that answer a question best, by meaning and by words.

    Args:
        documents: Where to look.
        question: What is asked.
        cosines: How near each document is to it; see `Compared.agreed`.
        sorts: Sorts of documents that may be found, each as a mask; no document is of two sorts.
        limit: At most so many of each sort.
        threshold: The least relevance.

    Returns:
        For each sort what was found, best first; ties go by key.
    """
    if question.wanted is not None:
        cosines = drawn(documents, question.text, cosines, question.wanted, np.logical_or.reduce(sorts))
    return rank(documents, question.text, cosines, sorts, limit=limit, threshold=threshold)


def drawn(documents: Documents, query: str, cosines: Floats, wanted: Wanted, among: Mask) -> Floats:
    """Cosines drawn towards what a request wants known (`situations`).

    Args:
        documents: Where to look.
        query: In the user's words.
        cosines: As `Compared.agreed` gives them.
        wanted: What is wanted.
        among: Which documents may be found. The likeliest of them are looked at closely; the rest fit nothing.
    """
    weights = documents.weights(wanted.situations)
    if not asks_of_past(query):
        weights = weights - PASSING * documents.passing(wanted.situations)
    alike = shared(documents.about(query), among)
    likely = np.where(among, cosines + weights + alike, np.nan)
    numbers = np.flatnonzero(~np.isnan(likely))
    if len(numbers) > _LOOKED_AT:
        numbers = numbers[np.argpartition(likely[numbers], -_LOOKED_AT)[-_LOOKED_AT:]]
    fits = np.zeros(len(cosines))
    if len(numbers):
        fits[numbers] = documents.fits(numbers, wanted)
    return wanted.drawn(cosines, weights, fits, alike)


def rank(
    documents: Documents,
    query: str,
    cosines: Floats,
    wanted: Sequence[Mask],
    *,
    limit: int,
    threshold: float = 0.0,
    formula: Formula = relevance,
) -> list[list[Ranked]]:
    """The documents that answer a query best.

    Args:
        documents: Where to look.
        query: In the user's words.
        cosines: Of the query's embedding and each document's, NaN where there is none; see `Compared.agreed`.
        wanted: Sorts of documents that may be found, each as a mask; no document is of two sorts.
        limit: At most so many of each sort.
        threshold: The least relevance.
        formula: What makes one relevance of the parts.

    Returns:
        For each sort what was found, best first; ties go by key.
    """
    eligible = np.logical_or.reduce(wanted)
    found = documents.parts(query, cosines, eligible)
    citing, cited = found.citing, found.cited
    sources = np.zeros(len(cosines), dtype=bool)
    sources[cited[eligible[citing]]] = True
    strengths = strength(found)
    chosen = _chosen(documents, found, strengths, [*wanted, sources & ~eligible], _SPARE * limit)
    chosen[citing[chosen[cited]]] = True
    chosen[cited[chosen[citing]]] = True
    numbers = np.flatnonzero(chosen)
    parts, sorts = _among(found, numbers), [mask[numbers] for mask in wanted]
    ranks = documents.ranks(numbers)
    scores = Scores(formula(query, parts), ranks=ranks, results=parts.eligible)
    each = scores.best_of(sorts, limit, threshold=threshold)
    best = np.concatenate(each)
    evidence, handles = scores.of(best), documents.handles_of(numbers[best])
    every = list(map(Ranked, handles, evidence))
    ends = np.cumsum([0, *map(len, each)])
    return [every[start:end] for start, end in itertools.pairwise(ends)]


def _chosen(documents: Documents, found: Parts, strengths: Floats, sorts: Sequence[Mask], count: int) -> Mask:
    """The best of each sort, each among the documents that have the same parts."""
    meaning = np.nan_to_num(found.cosine)
    near = np.where(np.isnan(found.neighbors), found.lexical, found.neighbors)
    orders = strengths, meaning, np.maximum(meaning, 0.0) + near
    chosen = np.zeros(len(meaning), dtype=bool)
    for sort in sorts:
        for kind in _kinds(found, sort):
            numbers = np.flatnonzero(kind)
            for values in orders:
                chosen[_most(documents, numbers, values[numbers], count)] = True
            worded = numbers[near[numbers] > 0]  # the others are all alike in this, and best in none
            chosen[_most(documents, worded, near[worded], count)] = True
    return chosen


def _kinds(found: Parts, sort: Mask) -> Iterator[Mask]:
    """The documents of a sort, those that have the same parts together."""
    meant, grouped = ~np.isnan(found.cosine), ~np.isnan(found.neighbors)
    for with_meaning in (meant, ~meant):
        for standing in (grouped, ~grouped):
            kind = sort & with_meaning & standing
            if kind.any():
                yield kind


def _most(documents: Documents, numbers: Places, values: Floats, count: int) -> Places:
    """Those with the highest values; ties go by key, so that every engine chooses the same."""
    if len(numbers) <= count:
        return numbers
    high = values >= _below_the_best(values, count) - 1e-6
    numbers, rounded = numbers[high], values[high].round(7)  # engines' cosines differ by about 1e-7
    least = np.partition(rounded, len(rounded) - count)[len(rounded) - count]
    above, tied = numbers[rounded > least], numbers[rounded == least]
    if len(above) + len(tied) > count:
        tied = documents.first(tied, count - len(above))
    return np.concatenate([above, tied])


def _below_the_best(values: Floats, count: int) -> float:
    """A bound that at least so many values reach, and few more: found in stretches, each by its highest value."""
    stretch = len(values) // (4 * count)
    highest = values if stretch < 2 else values[: len(values) // stretch * stretch].reshape(-1, stretch).max(axis=1)
    return float(np.partition(highest, len(highest) - count)[len(highest) - count])


def _among(found: Parts, numbers: Places) -> Parts:
    """The parts of some documents, with the links between them."""
    places = np.full(len(found.cosine), -1, dtype=np.intp)
    places[numbers] = np.arange(len(numbers))
    citing, cited = places[found.citing], places[found.cited]
    here = (citing >= 0) & (cited >= 0)
    each = {field.name: getattr(found, field.name)[numbers] for field in fields(found) if field.name not in _LINKS}
    return replace(found, **each, citing=citing[here], cited=cited[here])


_LINKS = ("citing", "cited")
