"""The ranking formula: how well a memory answers a query, by meaning and by words, as one number from 0 to 1.

It is calculated from these parts. Each is from 0 to 1 and has the same meaning for every query, store and embedder:

    semantic     the cosine of the two embeddings, on the scale of `langchain_mem.ranking.scale`
    before       the same of the memory before it in its group: what a turn answers
    lexical      the share of the query's rare words in the memory itself      ┐
    neighbors    in the memory and those around it in its group                ├ `langchain_mem.ranking.bm25`
    session      in its whole group                                            ┘
    brevity      1 - ln(1 + words) / ln(31), at least 0: "Wow, thanks!" answers nothing
    question     1 where the memory is itself a question, else 0

A memory that stands alone is its own neighborhood and its own session. The parts are added as they are:

    strength   = semantic + trust·(0.5·lexical + 2.5·neighbors + session + 0.5·before - brevity - 0.25·question)
    trust      = ((highest neighbors - 0.05) / 0.15)³, from 0 to 1
    strength  += 0.5·max(0, cited - strength)                        cited = the most of those it rests on

Trust says whether the query's words can be relied on. Where some memory holds a good share of the query's rare words,
it was probably said in these words, and words say more than meaning does. Where the rare words match nothing ("I am
overwhelmed" after "I have learned to say no"), a common word that happens to match says nothing, and meaning decides.

Relevance is how good the best of the store is, times how near to the best this memory comes:

    share      = strength / highest strength of a memory that may be found            0 where negative
    confidence = σ(25·(max(semantic, 0.2) + 0.75·neighbors - 0.37))      of the memory for which it is highest
    relevance  = confidence · e^(-4·(2 - trust)·(1 - share))          σ(x) = 1 / (1 + e^-x)

Decay multiplies relevance by 0.3 to 1.5, a factor of five. Between a good answer and a poor one relevance falls by more
than that, so decay reorders only memories that are nearly equal. It falls faster where meaning decides alone, because
cosines lie closer together. The confidence does not depend on the other memories: if nothing in the store shares a word
or a meaning with the query, even the best relevance is near 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np

from langchain_mem._regex import regex
from langchain_mem.model.records import dated as dated
from langchain_mem.ranking.parts import Floats, Mask, Parts, Places
from langchain_mem.ranking.tokens import tokenize

# Chosen on three LoCoMo conversations (Maharana et al. 2024) and fifty everyday remarks; weights fitted to two of the
# conversations and judged on the third came out alike. All are round, and half or twice of any changes little.
OWN_WORDS, NEAR_WORDS, SESSION_WORDS = 0.5, 2.5, 1.0  # of the words' shares, against a cosine's 1
BEFORE, BREVITY, QUESTION = 0.5, 1.0, 0.25  # of the cosine before; what a short memory and a question lose
CHANCE, ENOUGH_WORDS = 0.05, 0.2  # of the query's rare words in one place: words say nothing, or are to be trusted
INFORMATIVE = 30  # words from which a memory is not short
LENDING = 0.5  # of what the best cited memory has more
FALL = 4.0  # of relevance with the distance from the best: where words are trusted, a tenth at a share of 0.42
UNRELATED_COSINE = 0.2  # about the most random letters get; lower ones say no more against a memory than this
CERTAINTY, HALF_SURE = 25.0, 0.37  # half sure at a cosine of 0.37, or 0.2 with a quarter of the query's rare words
SURE_WORDS = 0.75  # of their share, against a cosine's 1

# The cosine (`Scale.alike`) from which two memories are about the same thing. Different facts of one person reach 0.67.
SAME_STATEMENT = 0.72
# The same where the newer one says that something changed ("moved", "now", "no longer"). Three of four such pairs have
# at least this much on both embedders of the package; pairs of different facts seldom announce a change.
ANNOUNCED_CHANGE = 0.36
# What a newer statement needs of an older one's score to stand above it, where a question is in the present tense but
# does not name the present: "What is it about?" is also asked of what was.
NEARLY_EQUAL = 0.8

Item = TypeVar("Item")


OPEN_QUESTION = 0.5
"""The least relevance to a question that names nothing to look for: decay then says what comes first."""


class Evidence(NamedTuple):
    """Why a memory has its relevance, as the module's formula names it; `None` for a part it does not have."""

    relevance: float
    confidence: float
    share: float
    trust: float
    semantic: float | None
    before: float | None
    lexical: float
    neighbors: float | None
    session: float | None
    brevity: float
    question: float
    cited: float | None


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

    def of(self, places: Places) -> list[Evidence]:
        """The evidence for some of the documents, made at once."""
        columns = [
            [None if value != value else value for value in part[places].tolist()] for part in self._parts.values()
        ]
        return [Evidence(**dict(zip(self._parts, values, strict=True))) for values in zip(*columns, strict=True)]

    def best(self, limit: int | None = None, *, threshold: float = 0.0) -> list[int]:
        """Indices of the most relevant documents, best first; ties go by key, and those that only lend are left out.

        Args:
            limit: How many at most; all by default.
            threshold: The least relevance.
        """
        order = np.lexsort((self._ranks, -self.relevance.round(7)))  # engines' cosines differ by about 1e-7
        kept = order[self._results[order] & (self.relevance[order] >= threshold)]
        return [int(i) for i in kept[:limit]]

    def best_of(self, sorts: Sequence[Mask], limit: int, *, threshold: float = 0.0) -> list[Places]:
        """Of each sort of documents the most relevant, as `best` has them.

        Args:
            sorts: Which documents are of each sort.
            limit: How many of each at most.
            threshold: The least relevance.
        """
        order = np.array(self.best(threshold=threshold), dtype=np.intp)
        return [order[sort[order]][:limit] for sort in sorts]


def relevance(query: str, parts: Parts) -> dict[str, Floats]:
    """How well each document answers the query: the module's formula.

    Args:
        query: In the user's words.
        parts: What of it was found in each document.

    Returns:
        For each field of `Evidence` one number a document; NaN for a part it does not have.
    """
    trust = _trust(parts)
    share, cited = _shares(_strength(parts, trust), parts)
    confidence = _confidence(parts)
    calibrated = confidence * np.exp(-FALL * (2 - trust) * (1 - share))
    return {
        "relevance": np.maximum(calibrated, OPEN_QUESTION) if asks_openly(query) else calibrated,
        "confidence": np.full(len(share), confidence),
        "share": share,
        "trust": np.full(len(share), trust),
        "semantic": np.clip(parts.cosine, 0.0, 1.0),
        "before": np.clip(parts.before, 0.0, 1.0),
        "lexical": parts.lexical,
        "neighbors": parts.neighbors,
        "session": parts.session,
        "brevity": _brevity(parts.length),
        "question": parts.asks.astype(np.float64),
        "cited": cited,
    }


def strength(parts: Parts) -> Floats:
    """What ranks documents before they lend to each other: the module's formula."""
    return _strength(parts, _trust(parts))


def _strength(parts: Parts, trust: float) -> Floats:
    near, session = _near(parts), np.where(np.isnan(parts.session), parts.lexical, parts.session)
    meaning = _or_zero(parts.cosine)
    before = _or_zero(np.where(np.isnan(parts.neighbors), parts.cosine, parts.before))
    words = OWN_WORDS * parts.lexical + NEAR_WORDS * near + SESSION_WORDS * session
    lost = BREVITY * _brevity(parts.length) + QUESTION * parts.asks
    return np.asarray(meaning.clip(0.0, 1.0) + trust * (words + BEFORE * before.clip(0.0, 1.0) - lost))


def _or_zero(values: Floats) -> Floats:
    """Zero where there is no number. `np.nan_to_num` looks for infinities too, which takes three times as long."""
    return np.where(np.isnan(values), 0.0, values)


def _near(parts: Parts) -> Floats:
    """The words' share in the neighborhood, which of a document that stands alone is itself."""
    return np.asarray(np.where(np.isnan(parts.neighbors), parts.lexical, parts.neighbors))


def _trust(parts: Parts) -> float:
    """How far the query's words are to be relied on, from 0 to 1."""
    most = float(_near(parts)[_weighed(parts)].max(initial=0.0))
    return min(max((most - CHANCE) / (ENOUGH_WORDS - CHANCE), 0.0), 1.0) ** 3


def _weighed(parts: Parts) -> Mask:
    """Those that may be found and those they rest on: their words count even where they are not shown."""
    weighed = parts.eligible.copy()
    weighed[parts.cited[parts.eligible[parts.citing]]] = True
    return weighed


def _brevity(length: Floats) -> Floats:
    return np.asarray(np.clip(1 - np.log1p(length) / math.log1p(INFORMATIVE), 0.0, 1.0))


def _shares(strengths: Floats, parts: Parts) -> tuple[Floats, Floats]:
    """Raises the strengths of those that cite, and brings the best result to 1.

    Returns:
        The shares, and the most each cites (NaN for none), both on that scale; what is no result may be cut off at 1.
    """
    found = np.maximum(strengths, 0.0)
    cited = np.full(len(found), np.nan)
    np.fmax.at(cited, parts.citing, found[parts.cited])
    lent = found + LENDING * _or_zero(np.maximum(0.0, cited - found))
    best = lent[parts.eligible].max(initial=0.0) or 1.0
    return np.minimum(lent, best) / best, np.minimum(cited, best) / best  # cut off first: by a tiny best it overflows


def _confidence(parts: Parts) -> float:
    """How good the best document is by itself, from 0 to 1; a missing embedding says neither yes nor no."""
    meaning = np.fmax(parts.cosine, UNRELATED_COSINE)
    sure = 1 / (1 + np.exp(-CERTAINTY * (meaning + SURE_WORDS * _near(parts) - HALF_SURE)))
    return float(sure[_weighed(parts)].max(initial=0.0))


def asks_about_now(query: str) -> bool:
    """Whether an English question is about the present, so that the newest statement answers it.

    >>> asks_about_now("Where does Alex live now?"), asks_about_now("Where did Alex grow up?")
    (True, False)
    """
    return names_now(query) or _PRESENT.search(query) is not None


def names_now(query: str) -> bool:
    """Whether an English question names the present, and is not just in the present tense.

    >>> names_now("Where does Alex live now?"), names_now("What is Alex's favorite color?")
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
    """Move a statement above the best older one, if both are about the same thing.

    Args:
        ranked: Best first.
        similarity: The cosine of two items' embeddings.
        newer: Whether the first was said after the second.
        threshold: The cosine from which two items are about the same thing.

    Returns:
        The same items; each stands right above the first one it replaces.
    """
    result: list[Item] = []
    for item in ranked:
        older = (at for at, one in enumerate(result) if newer(item, one) and similarity(item, one) >= threshold)
        result.insert(next(older, len(result)), item)
    return result


def announces_change(text: str) -> bool:
    """Whether an English statement says that something is not as it was.

    >>> announces_change("Maya has moved to Leeds."), announces_change("Maya likes Leeds.")
    (True, False)
    """
    return _CHANGE.search(text) is not None


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


_OPEN_WORDS = frozenset(
    tokenize("anything everything facts information know known learned memories memory notes person profile recall "
             "remember remembered say said saved something stored summarize summary tell told user who")
)  # fmt: skip

_CHANGE = regex(
    r"\b(now|nowadays|these days|actually|moved|changed|switched|replaced|became|anymore|any more|instead|new"
    r"|no longer|not .{0,20}\bany ?more|used to|(has|have|had) (left|quit|started|stopped|taken up|given up)"
    r"|(started|stopped|quit|left|resigned|retired|sold|swapped|upgraded|cancell?ed|relocated|divorced)\b"
    r"|(gave|given|gives|took|taken|takes)\b.{0,30}\bup\b|got (a|an|another)\b|from now on)",
    re.IGNORECASE,
)
_NOW = regex(
    r"\b(now|nowadays|today|these days|at (the moment|present)|current|currently|presently|latest|newest|most recent"
    r"|still|anymore|any more|yet)\b",
    re.IGNORECASE,
)
_PRESENT = re.compile(r"\b(is|are|am|(what|where|who|how)['’]s)\b", re.IGNORECASE)
