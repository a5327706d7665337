"""Documents that do not change, ranked in the plainest way: the whole formula worked out for each of them.

The living index (`index`) gives the same for an owner's memories at a cost that follows what a query touches, and tests
compare the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from langchain_mem.ranking.bm25 import AFTER, BEFORE, EARLIER, Widths, idf, saturation
from langchain_mem.ranking.parts import Floats, Mask, Parts
from langchain_mem.ranking.passing import is_question
from langchain_mem.ranking.relevance import Scores, relevance
from langchain_mem.ranking.tokens import tokenize

Position = int | float | str


class Document(NamedTuple):
    """What ranking needs to know of a memory."""

    key: str
    """Its id: breaks ties, and is what others cite."""
    text: str
    """Its words, after its date where it has one (`dated`)."""
    group: str | None = None
    """The session or thread it stood in; `None` for a memory that stands alone."""
    position: Position | None = None
    """Its place within the group, comparable with the others'."""
    cites: tuple[str, ...] = ()
    """Keys of the documents it rests on: what is found in them counts for it. Unknown ones are ignored."""
    lends_only: bool = False
    """Whether it is evidence for those that cite it, and no result itself."""


class Corpus:
    """An immutable index of documents, to be kept for as long as they do not change.

    Args:
        documents: In any order, with distinct keys; evidence comes back in the same order.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = tuple(documents)
        order = sorted(range(len(documents)), key=lambda i: _place(self.documents[i]))
        placed = [self.documents[i] for i in order]
        groups = _group_numbers(placed)
        self._index = InvertedIndex([document.text for document in placed], groups)
        self._order = np.array(order, dtype=np.intp)
        self._back = np.argsort(self._order)
        self._follows = np.diff(np.array(groups, dtype=np.intp), prepend=-1) == 0
        self._asks = np.array([is_question(document.text) for document in self.documents], dtype=bool)
        self._alone = np.array([document.group is None for document in self.documents], dtype=bool)
        self._results = np.array([not document.lends_only for document in self.documents], dtype=bool)
        self._file_keys()

    def _file_keys(self) -> None:
        """Note the keys' alphabetical order, and who cites whom by number."""
        keys = [document.key for document in self.documents]
        at = {key: i for i, key in enumerate(keys)}
        self._ranks = np.argsort(np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp))
        links = [(i, at[key]) for i, document in enumerate(self.documents) for key in document.cites if key in at]
        self._citing, self._cited = np.array(links, dtype=np.intp).reshape(-1, 2).T

    def __len__(self) -> int:
        return len(self.documents)

    def relevance(
        self,
        query: str,
        cosines: Sequence[float | None] | None = None,
        *,
        among: Mask | None = None,
    ) -> Scores:
        """How well each document answers the query.

        Args:
            query: In the user's words.
            cosines: Of the query's and each document's embedding, in the documents' order and on the scale of `scale`;
                `None` for one without, or for all of them: words alone decide then.
            among: Which documents may be found; what a filter hides is not what the others fall short of.

        Returns:
            One `Evidence` a document, in their order.
        """
        lexical, neighbors, session = self._words(query)
        cosine = np.full(len(self), np.nan) if cosines is None else np.array(cosines, dtype=np.float64)
        parts = Parts(
            cosine=cosine,
            before=self._before(cosine),
            lexical=lexical,
            neighbors=neighbors,
            session=session,
            length=self._index.lengths[self._back],
            asks=self._asks,
            eligible=self._results if among is None else self._results & among,
            citing=self._citing,
            cited=self._cited,
        )
        return Scores(relevance(query, parts), ranks=self._ranks, results=self._results)

    def _before(self, cosine: Floats) -> Floats:
        """The value of the document before each in its group; NaN for the first of a group."""
        placed = cosine[self._order]
        shifted = np.concatenate([[np.nan], placed[:-1]])[: len(placed)]
        return np.asarray(np.where(self._follows, shifted, np.nan)[self._back])

    def _words(self, query: str) -> tuple[Floats, Floats, Floats]:
        """The three lexical parts in the documents' order; what stands alone has neither neighbors nor session."""
        own, neighbors, session = (part[self._back] for part in self._index.scores(query))
        return own, np.where(self._alone, np.nan, neighbors), np.where(self._alone, np.nan, session)


class InvertedIndex:
    """Which document has which word how often; immutable.

    Args:
        texts: One a document.
        groups: The group of each document, as numbers from 0; documents of a group stand together, in their order.
    """

    def __init__(self, texts: Sequence[str], groups: Sequence[int]) -> None:
        tokens = [tokenize(text) for text in texts]
        self._vocabulary: dict[str, int] = {}
        numbered = [self._vocabulary.setdefault(token, len(self._vocabulary)) for words in tokens for token in words]
        self._lengths = np.array([len(words) for words in tokens], dtype=np.float64)
        self._groups = np.asarray(groups, dtype=np.intp)
        self._file(np.array(numbered, dtype=np.int64))

    @property
    def lengths(self) -> Floats:
        """How many words each document has."""
        return self._lengths

    def _file(self, terms: npt.NDArray[np.int64]) -> None:
        """Count the occurrences and sort them by word: those of `t` stand from `_starts[t]` to `_starts[t + 1]`."""
        size = len(self._lengths)
        documents = np.repeat(np.arange(size), self._lengths.astype(np.intp))
        pairs, self._counts = np.unique(terms * size + documents, return_counts=True)
        self._documents = pairs % max(size, 1)
        self._starts = np.searchsorted(pairs, np.arange(len(self._vocabulary) + 1) * size)

    def scores(self, query: str) -> Widths:
        """Score every document against the query at each width; all zero for a query without words."""
        words = sorted(set(tokenize(query)))
        counts = np.stack([self._row(word) for word in words]) if words else np.zeros((1, len(self._lengths)))
        weights = idf(np.count_nonzero(counts, axis=1), counts.shape[1])
        grouped, group_lengths = _by_group(counts, self._groups), _by_group(self._lengths, self._groups)
        windows, window_lengths = _windows(counts, self._groups), _windows(self._lengths, self._groups)
        return Widths(
            own=_bm25(counts, self._lengths, weights),
            neighbors=_bm25(windows, window_lengths, weights),
            session=_bm25(grouped, group_lengths, weights)[self._groups],
        )

    def _row(self, word: str) -> Floats:
        row = np.zeros(len(self._lengths))
        if (term := self._vocabulary.get(word)) is not None:
            found = slice(self._starts[term], self._starts[term + 1])
            row[self._documents[found]] = self._counts[found]
        return row


def _windows(values: Floats, groups: npt.NDArray[np.intp]) -> Floats:
    """Add to each document what stands around it in its group, along the last axis, each as the window weighs it."""
    widened = values.copy()
    near = groups[1:] == groups[:-1]
    widened[..., 1:] += BEFORE * values[..., :-1] * near
    widened[..., :-1] += AFTER * values[..., 1:] * near
    widened[..., 2:] += EARLIER * values[..., :-2] * (groups[2:] == groups[:-2])
    return widened


def _by_group(values: Floats, groups: npt.NDArray[np.intp]) -> Floats:
    """Add up the documents of each group, along the last axis."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    return np.add.reduceat(values, starts, axis=-1) if len(starts) else values


def _bm25(counts: Floats, lengths: Floats, weights: Floats) -> Floats:
    """The formula of `bm25`: `counts` has a row a query word, a column a text; returns one score a text."""
    typical = float(lengths.mean()) if lengths.any() else 1.0
    share: Floats = weights @ (counts / (counts + saturation(lengths, typical))) / weights.sum()
    return share


def _place(document: Document) -> tuple[bool, str, bool, Any, str]:
    """Sort by group and position; those without a position come last in their group, by key."""
    unplaced = document.position is None
    return document.group is None, document.group or "", unplaced, 0 if unplaced else document.position, document.key


def _group_numbers(documents: Sequence[Document]) -> list[int]:
    """Numbers from 0, one a group; a document without a group is one by itself."""
    groups = [document.group for document in documents]
    starts = [i == 0 or group is None or group != groups[i - 1] for i, group in enumerate(groups)]
    return [int(number) for number in np.cumsum(starts) - 1]
