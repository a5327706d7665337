"""Lexical and semantic evidence -> one calibrated relevance, with every part of it on show.

Four parts say how well a memory answers a query. Each is from 0 to 1 and means the same for every query and store:

    semantic     the cosine of the two embeddings (the memory's with its date before it: `dated`)
    lexical      the share of the query's rare words in the memory itself      ┐
    neighbors    in the memory and the one on either side of it in its group   ├ `langchain_mem.ranking.bm25`
    session      in its whole group                                            ┘

Relevance is how good the best of the store is, times how near to the best this memory comes:

    share      = Σ part / Σ best part in the store                    over the parts this memory has
    share     += 0.5·max(0, cited - share)                            cited = the best share among those it rests on
    share     /= the highest share of a memory that may be found
    confidence = σ(20·(max(semantic, 0.2) - 0.3) + 15·mean(words) - 3)    of the memory for which it is highest
    relevance  = confidence · e^(-7·(1 - share)^1.4)                  σ(x) = 1 / (1 + e^-x)

Scores are added, not ranks, and with equal weights. The share ranks; being a ratio, it needs no scale, and the
exponential spreads it by far more than decay's five-fold band, so that decay reorders near ties only. It falls steeply
near the best already, where a logistic is flat and would leave the first places to decay. The confidence is absolute:
nothing in the store shares a word or a meaning with gibberish, so the best of a hopeless pool is still near 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np

from langchain_mem.model.records import dated as dated
from langchain_mem.ranking.bm25 import InvertedIndex, tokenize
from langchain_mem.ranking.parts import Floats, Mask, Parts

# From three LoCoMo conversations (Maharana et al. 2024). A steeper fall costs recall at the threshold of 0.1, a gentler
# one leaves decay more room. Of the pairs tried (bends of 1 to 2, falls of 4.5 to 14) this one loses few sessions to
# the threshold and keeps 97 % of recall under decay in each of the three; near it little changes. Weights for parts,
# chosen on two conversations and judged on the third, did no better than equal ones (twice worse). Lending was tried at
# 0.3, 0.5, 0.7 and 1 on all three, which differ by 5 points.
FALL, BEND = 7.0, 1.4  # of relevance with the distance from the best share: 0.1 at a share of 0.55
LENDING = 0.5  # of what the best cited memory has more
# Chosen so that random letters stay under 0.1 and paraphrases without a common word (cosine over 0.34) come over it.
NEUTRAL_COSINE = 0.3  # says neither yes nor no: about the most MiniLM gave random letters in a store of hundreds
UNRELATED_COSINE = 0.2  # lower ones say no more against a memory than this, so that an exact word is never outvoted
MEANING, WORDS, DOUBT = 20.0, 15.0, 3.0  # half sure at a cosine of 0.45, or at a fifth of the query's rare words

# The cosine from which two memories are about the same thing: MiniLM gave ten of twelve pairs of an old and a new value
# at least this much, and no two different facts more than 0.55.
SAME_STATEMENT = 0.75

Position = int | float | str
Item = TypeVar("Item")


OPEN_QUESTION = 0.5
"""The least relevance to a question that names nothing to look for: decay then says what comes first."""


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


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a memory has its relevance, as the module's formula names it; `None` for a part it does not have."""

    relevance: float
    confidence: float
    share: float
    semantic: float | None
    lexical: float
    neighbors: float | None
    session: float | None
    cited: float | None

    def as_dict(self) -> dict[str, float | None]:
        """The parts by name, as `explain=True` shows them."""
        return asdict(self)


class Scores(Sequence[Evidence]):
    """The evidence for each document of a corpus, in its order; an item is made when it is asked for.

    Args:
        parts: One number a document for each field of `Evidence`; NaN where there is none.
        ranks: The documents' places by key, which decide ties.
        results: Which documents may be results.
    """

    def __init__(
        self, parts: dict[str, Floats], *, ranks: np.typing.NDArray[np.intp], results: np.typing.NDArray[np.bool_]
    ) -> None:
        self.relevance = parts["relevance"]
        self._parts = parts
        self._ranks = ranks
        self._results = results

    def __len__(self) -> int:
        return len(self.relevance)

    @overload
    def __getitem__(self, index: int) -> Evidence: ...
    @overload
    def __getitem__(self, index: slice) -> list[Evidence]: ...
    def __getitem__(self, index: int | slice) -> Evidence | list[Evidence]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        values: dict[str, Any] = {name: _or_none(part[index]) for name, part in self._parts.items()}
        return Evidence(**values)

    def __iter__(self) -> Iterator[Evidence]:
        return (self[i] for i in range(len(self)))

    def best(self, limit: int | None = None, *, threshold: float = 0.0) -> list[int]:
        """Indices of the most relevant documents, best first; ties go by key, and those that only lend are left out.

        Args:
            limit: How many at most; all by default.
            threshold: The least relevance.
        """
        order = np.lexsort((self._ranks, -self.relevance.round(7)))  # engines' cosines differ by about 1e-7
        kept = order[self._results[order] & (self.relevance[order] >= threshold)]
        return [int(i) for i in kept[:limit]]


class Corpus:
    """An immutable index of documents, to be kept for as long as they do not change.

    Args:
        documents: In any order, with distinct keys; evidence comes back in the same order.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = tuple(documents)
        order = sorted(range(len(documents)), key=lambda i: _place(self.documents[i]))
        placed = [self.documents[i] for i in order]
        self._index = InvertedIndex([document.text for document in placed], _group_numbers(placed))
        self._back = np.argsort(np.array(order, dtype=np.intp))
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
        neutral_cosine: float = NEUTRAL_COSINE,
        among: Mask | None = None,
    ) -> Scores:
        """How well each document answers the query.

        Args:
            query: In the user's words.
            cosines: Of the query's and each document's embedding, in the documents' order; `None` for one without,
                or for all of them: words alone decide then.
            neutral_cosine: What this embedder gives the nearest memory for a meaningless query; cosines are brought to
                the default's scale.
            among: Which documents may be found; what a filter hides is not what the others fall short of.

        Returns:
            One `Evidence` a document, in their order.
        """
        lexical, neighbors, session = self._words(query)
        missing = np.full(len(self), np.nan)
        parts = Parts(
            cosine=missing if cosines is None else np.array(cosines, dtype=np.float64),
            lexical=lexical,
            neighbors=neighbors,
            session=session,
            eligible=self._results if among is None else self._results & among,
            citing=self._citing,
            cited=self._cited,
        )
        return Scores(relevance(query, parts, neutral_cosine=neutral_cosine), ranks=self._ranks, results=self._results)

    def _words(self, query: str) -> tuple[Floats, Floats, Floats]:
        """The three lexical parts in the documents' order; what stands alone has neither neighbors nor session."""
        own, neighbors, session = (part[self._back] for part in self._index.scores(query))
        return own, np.where(self._alone, np.nan, neighbors), np.where(self._alone, np.nan, session)


def relevance(query: str, parts: Parts, *, neutral_cosine: float = NEUTRAL_COSINE) -> dict[str, Floats]:
    """How well each document answers the query: the module's formula.

    Args:
        query: In the user's words.
        parts: What of it was found in each document.
        neutral_cosine: What this embedder gives the nearest memory for a meaningless query; cosines are brought to
            the default's scale.

    Returns:
        For each field of `Evidence` one number a document; NaN for a part it does not have.
    """
    semantic = _semantic(parts.cosine, neutral_cosine)
    words = np.stack([parts.lexical, parts.neighbors, parts.session])
    confidence = _confidence(semantic, words, parts.weighed)
    share, cited = _lend(_share(np.stack([semantic, *words]), parts.weighed), parts)
    calibrated = confidence * np.exp(-FALL * (1 - share) ** BEND)
    return {
        "relevance": np.maximum(calibrated, OPEN_QUESTION) if asks_openly(query) else calibrated,
        "confidence": np.full(len(share), confidence),
        "share": share,
        "semantic": semantic,
        "lexical": parts.lexical,
        "neighbors": parts.neighbors,
        "session": parts.session,
        "cited": cited,
    }


def _lend(share: Floats, parts: Parts) -> tuple[Floats, Floats]:
    """Raise the shares of those that cite, and bring the best result to 1.

    Returns:
        The shares, and the best share each cites (NaN for none), both on that scale; what is no result may be
        cut off at 1.
    """
    cited = np.full(len(share), np.nan)
    np.fmax.at(cited, parts.citing, share[parts.cited])
    lent = share + LENDING * np.nan_to_num(np.maximum(0.0, cited - share))
    best = lent[parts.eligible].max(initial=0.0) or 1.0
    return np.minimum(lent / best, 1.0), np.minimum(cited / best, 1.0)


def asks_about_now(query: str) -> bool:
    """Whether an English question is about the present, so that the newest statement answers it.

    >>> asks_about_now("Where does Alex live now?"), asks_about_now("Where did Alex grow up?")
    (True, False)
    """
    return _NOW.search(query) is not None


def asks_openly(query: str) -> bool:
    """Whether an English question names nothing to look for, so that anything known answers it.

    >>> asks_openly("What do you know about me?"), asks_openly("What do you know about trains?")
    (True, False)
    """
    return set(tokenize(query)) <= _OPEN_WORDS and re.search(r"\w", query) is not None


def prefer_newer(
    ranked: Sequence[Item],
    *,
    similarity: Callable[[Item, Item], float],
    newer: Callable[[Item, Item], bool],
    threshold: float = SAME_STATEMENT,
) -> list[Item]:
    """Move a statement above the older one it stands right below, if both are about the same thing.

    Args:
        ranked: Best first.
        similarity: The cosine of two items' embeddings.
        newer: Whether the first was said after the second.
        threshold: The cosine from which two items are about the same thing.

    Returns:
        The same items; each rises past as many as it replaces.
    """
    result: list[Item] = []
    for item in ranked:
        at = len(result)
        while at and newer(item, result[at - 1]) and similarity(item, result[at - 1]) >= threshold:
            at -= 1
        result.insert(at, item)
    return result


def _place(document: Document) -> tuple[bool, str, bool, Any, str]:
    """Sort by group and position; those without a position come last in their group, by key."""
    unplaced = document.position is None
    return document.group is None, document.group or "", unplaced, 0 if unplaced else document.position, document.key


def _group_numbers(documents: Sequence[Document]) -> list[int]:
    """Numbers from 0, one a group; a document without a group is one by itself."""
    groups = [document.group for document in documents]
    starts = [i == 0 or group is None or group != groups[i - 1] for i, group in enumerate(groups)]
    return [int(number) for number in np.cumsum(starts) - 1]


def _semantic(cosines: Floats, neutral: float) -> Floats:
    """The cosines from 0 to 1, `neutral` brought to the usual neutral and 1 left where it is; NaN stays."""
    return np.clip(1 - (1 - cosines) * (1 - NEUTRAL_COSINE) / (1 - neutral), 0.0, 1.0)


def _share(parts: Floats, among: Mask) -> Floats:
    """For each column, the sum of the parts it has over the sum of the best of the same; 0 where nothing is found."""
    found = np.nan_to_num(parts)
    best = np.where(np.isnan(parts), 0.0, found[:, among].max(axis=1, initial=0.0)[:, None]).sum(axis=0)
    total = found.sum(axis=0)
    return np.asarray(total / np.where(best > 0, best, 1.0))


def _confidence(semantic: Floats, words: Floats, among: Mask) -> float:
    """How good the best document is by itself, from 0 to 1; a missing embedding says neither yes nor no."""
    meaning = np.where(np.isnan(semantic), NEUTRAL_COSINE, np.maximum(semantic, UNRELATED_COSINE))
    evidence = MEANING * (meaning - NEUTRAL_COSINE) + WORDS * np.nanmean(words, axis=0) - DOUBT
    return float(_logistic(evidence)[among].max(initial=0.0))


def _logistic(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


_OPEN_WORDS = frozenset(
    tokenize("anything everything facts information know known learned memories memory notes person profile recall "
             "remember remembered say said saved something stored summarize summary tell told user who")
)  # fmt: skip

_NOW = re.compile(
    r"\b(now|nowadays|today|these days|at the moment|current|currently|presently|latest|newest|most recent"
    r"|still|anymore|any more|yet|is|are|am|(what|where|who|how)['’]s)\b",
    re.IGNORECASE,
)
