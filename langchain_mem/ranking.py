"""Lexical and semantic evidence -> one calibrated relevance, with every part of it on show.

Four parts say how well a memory answers a query, each from 0 to 1 and each meaning the same for every query:

    semantic     the cosine of the query's and the memory's embeddings (the memory's prefixed with its date)
    lexical      the share of the query's rare words in the memory itself      ┐
    neighbors    the same for the memory and the one on either side of it      ├ `langchain_mem.lexical`
    session      the same for everything in its group                          ┘

They are added up as scores, not ranks, together with how far each falls short of the best that any memory has of it:

    z         = ABSOLUTE · Σ part + RELATIVE · Σ (part - best part) - MIDPOINT
    relevance = 1 / (1 + e^-z)

The first sum keeps the best of a hopeless pool near 0; the second tells apart memories that all share the query's
words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple, overload

import numpy as np

from langchain_mem.lexical import Floats, InvertedIndex

ABSOLUTE = 2.0
RELATIVE = 4.5
MIDPOINT = 1.0
SAME_STATEMENT = 0.8  # cosine from which two memories say the same thing about the same thing

Position = int | float | str

_NOW = re.compile(
    r"\b(now|nowadays|current|currently|latest|newest|most recent|still|today|these days|at the moment|presently"
    r"|anymore|is|are|am)\b",
    re.IGNORECASE,
)


class Document(NamedTuple):
    """What ranking needs to know of a memory."""

    key: str
    """Its id: breaks ties, and is what others cite."""
    text: str
    group: str | None = None
    """The session or thread it stood in; `None` for a memory that stands alone."""
    position: Position | None = None
    """Its place within the group, comparable with the others'."""
    cites: tuple[str, ...] = ()
    """Keys of the documents this one rests on: what is found in them counts for it."""
    lends_only: bool = False
    """Whether it is evidence for those that cite it, and no result itself."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a memory has its relevance: each part from 0 to 1; `None` where there was none to have."""

    relevance: float
    semantic: float | None
    lexical: float
    neighbors: float
    session: float
    cited: float | None = None

    def as_dict(self) -> dict[str, float | None]:
        """The parts by name, as `explain=True` shows them."""
        return asdict(self)


class Scores(Sequence[Evidence]):
    """The evidence for each document of a corpus, in its order; an item is made when it is asked for.

    Args:
        documents: Those scored.
        relevance: One number from 0 to 1 a document.
        parts: The numbers it was made from, by the names of `Evidence`; NaN where there is none.
    """

    def __init__(self, documents: Sequence[Document], relevance: Floats, parts: dict[str, Floats]) -> None:
        self._documents = documents
        self.relevance = relevance
        self._parts = parts

    def __len__(self) -> int:
        return len(self._documents)

    @overload
    def __getitem__(self, index: int) -> Evidence: ...
    @overload
    def __getitem__(self, index: slice) -> list[Evidence]: ...
    def __getitem__(self, index: int | slice) -> Evidence | list[Evidence]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        parts: dict[str, Any] = {name: _number(values[index]) for name, values in self._parts.items()}
        return Evidence(relevance=float(self.relevance[index]), **parts)

    def __iter__(self) -> Iterator[Evidence]:
        return (self[i] for i in range(len(self)))

    def best(self, limit: int | None = None, *, threshold: float = 0.0) -> list[int]:
        """Indices of the most relevant documents, best first; ties go by key, and those that only lend are left out.

        Args:
            limit: How many at most; all by default.
            threshold: The least relevance.
        """
        enough = np.flatnonzero(self.relevance >= threshold).tolist()
        results = [i for i in enough if not self._documents[i].lends_only]
        return sorted(results, key=lambda i: (-round(float(self.relevance[i]), 9), self._documents[i].key))[:limit]


class Corpus:
    """An immutable index of documents, to be kept for as long as they do not change.

    Args:
        documents: In any order, with distinct keys; results come back in the same order.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = tuple(documents)
        order = sorted(range(len(documents)), key=lambda i: _place(self.documents[i]))
        self._rank = np.argsort(np.array(order, dtype=np.intp))
        placed = [self.documents[i] for i in order]
        self._index = InvertedIndex([document.text for document in placed], _group_numbers(placed))

    def __len__(self) -> int:
        return len(self.documents)

    def relevance(self, query: str, cosines: Sequence[float | None] | None = None) -> Scores:
        """How well each document answers the query.

        Args:
            query: In the user's words.
            cosines: Of the query's and each document's embedding, in the documents' order; `None` for one without,
                or for all of them.

        Returns:
            One `Evidence` a document, in their order.
        """
        widths = self._index.scores(query)
        lexical = [part[self._rank] for part in widths]
        semantic = _semantic(cosines, len(self))
        logit = _logit([*lexical, semantic])
        relevance = 1 / (1 + np.exp(-logit))
        names = dict(zip(("lexical", "neighbors", "session"), lexical, strict=True))
        return Scores(self.documents, relevance, {"semantic": semantic, **names})


def dated(text: str, when: datetime | None) -> str:
    """The text to embed: a memory's words, after the day they were said.

    >>> dated("I moved to Oslo.", datetime(2023, 5, 8))
    '[8 May 2023] I moved to Oslo.'
    """
    return f"[{when.day} {when:%B %Y}] {text}" if when else text


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _place(document: Document) -> tuple[bool, str, bool, Any, str]:
    alone = document.group is None
    placed = document.position is not None
    return alone, document.group or "", not placed, document.position if placed else 0, document.key


def _group_numbers(documents: Sequence[Document]) -> list[int]:
    """Numbers from 0, one a group; a document without a group is one by itself."""
    numbers: list[int] = []
    for i, document in enumerate(documents):
        same = i > 0 and document.group is not None and document.group == documents[i - 1].group
        numbers.append(numbers[-1] + (not same) if numbers else 0)
    return numbers


def _semantic(cosines: Sequence[float | None] | None, size: int) -> Floats:
    if cosines is None:
        return np.full(size, np.nan)
    return np.clip(np.array([np.nan if cosine is None else cosine for cosine in cosines], dtype=np.float64), 0.0, 1.0)


def _logit(parts: Sequence[Floats]) -> Floats:
    """The module's formula; a part that a document lacks (NaN) is taken to be the mean of those it has."""
    table = np.stack(parts)
    if not table.size:
        return np.zeros(table.shape[1])
    table = np.where(np.isnan(table), np.nanmean(table, axis=0), table)
    shortfall = table - table.max(axis=1, keepdims=True)
    return np.asarray(ABSOLUTE * table.sum(axis=0) + RELATIVE * shortfall.sum(axis=0) - MIDPOINT)


def asks_about_now(query: str) -> bool:
    """Whether an English question is about the present, so that the newest statement answers it.

    >>> asks_about_now("Where does Alex live now?"), asks_about_now("Where did Alex grow up?")
    (True, False)
    """
    return _NOW.search(query) is not None


def prefer_newer(ranked: Sequence[int], similarity: Any, newer: Any, *, threshold: float = SAME_STATEMENT) -> list[int]:
    """Swap neighbors in the ranking which say nearly the same, so that the newer stands first.

    Args:
        ranked: Items, best first.
        similarity: `(one, other) -> cosine` of two of them.
        newer: `(one, other) -> bool`, whether the first is the newer.
        threshold: The cosine from which two say the same.

    Returns:
        The same items.
    """
    result: list[int] = []
    for item in ranked:
        result.append(item)
        at = len(result) - 1
        while at and newer(item, result[at - 1]) and similarity(item, result[at - 1]) >= threshold:
            result[at - 1 : at + 1] = [item, result[at - 1]]
            at -= 1
    return result
