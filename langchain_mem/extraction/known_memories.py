"""Which known memories a conversation may be about: those the model is shown, so that it can change them.

Each message and each sentence of it is asked for by itself, since one long query drowns what a single sentence
contradicts:

    score(memory) = max over passages of  weight · (cosine + 0.5 · words)     words: BM25's share of the passage, 0 to 1

A user's words weigh 1, other words 0.9. They are taken in this order, until their cost reaches the budget:

1. what every answer has to respect (`importance="always"`), up to a seventh of the budget
2. for each passage in turn, the memories nearest to it
3. those changed last, since a conversation often goes on with what the one before was about, and those whose date is
   near, since what was planned for last week is told of without being named
4. by score
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from langchain_mem.extraction.messages import Turn
from langchain_mem.model.instants import parse_iso
from langchain_mem.model.records import StoredMemory
from langchain_mem.ranking.corpus import InvertedIndex

# Measured on six conversations with planted changes of facts, alone and among 300 other memories; see the docs. Weights
# of words from 0.3 to 1 differ by a hundredth, and without `DUE` it is about 6 points less. To show what is very like
# those found brings nothing.
WORDS: Final = 0.5
OTHERS: Final = 0.9
NEWEST: Final = 5
DUE: Final = 8
EACH: Final = 2
"""So many memories are taken for each passage before any other."""
ALWAYS: Final = 0.15
"""The share of the budget for what every answer has to respect."""
BEFORE, AFTER = timedelta(days=45), timedelta(days=14)

_SENTENCE: Final = re.compile(r"(?<=[.!?;:。！？])\s+|\n+")
_LEAST_WORDS: Final = 4  # of a sentence that is asked for by itself


class Passage(NamedTuple):
    """Something said that memories are looked for by, and what a match of it weighs."""

    text: str
    weight: float


def passages(turns: Sequence[Turn]) -> list[Passage]:
    """What memories are looked for by: each message, and each sentence of a user's longer one."""
    return list(dict.fromkeys(passage for turn in turns for passage in _passages(turn)))


def _passages(turn: Turn) -> Iterator[Passage]:
    yield Passage(turn.spoken, 1.0 if turn.role == "user" else OTHERS)
    sentences = _SENTENCE.split(turn.text) if turn.role == "user" else []
    if len(sentences) > 1:
        yield from (Passage(each, 1.0) for each in sentences if len(each.split()) >= _LEAST_WORDS)


def relevant(
    memories: Sequence[StoredMemory],
    said: Sequence[Passage],
    cosines: NDArray[np.float32] | None,
    *,
    at: datetime,
    costs: Sequence[int],
    budget: int,
) -> list[int]:
    """The places of the memories to show, in the order in which they lie.

    Args:
        memories: All that are live.
        said: What was said.
        cosines: Shape (memories, passages); `None` without an embedder.
        at: When it was said.
        costs: What showing each memory costs, such as its tokens.
        budget: What they may cost together.
    """
    if sum(costs) <= budget:
        return list(range(len(memories)))
    scores = _scores(memories, said, cosines)
    best = scores.max(axis=1)
    always = sorted(
        (p for p, memory in enumerate(memories) if memory["importance"] == "always"), key=lambda p: -best[p]
    )
    chosen = _within(always, costs, int(ALWAYS * budget), [])
    ranked = chain(_for_each(scores), _newest(memories), _due(memories, at), map(int, np.argsort(-best, kind="stable")))
    return sorted(_within(ranked, costs, budget, chosen))


def _within(places: Iterable[int], costs: Sequence[int], budget: int, chosen: Sequence[int]) -> list[int]:
    """What was chosen, and of the places as many as the budget holds."""
    taken = dict.fromkeys(chosen)
    spent = sum(costs[place] for place in taken)
    for place in places:
        if place not in taken and spent + costs[place] <= budget:
            taken[place] = None
            spent += costs[place]
    return list(taken)


def _for_each(scores: NDArray[np.float64]) -> list[int]:
    """The memories nearest to each passage, the nearest of all passages first."""
    ranks = np.argsort(-scores, axis=0, kind="stable")[:EACH]
    return [int(place) for row in ranks for place in row]


def _scores(
    memories: Sequence[StoredMemory], said: Sequence[Passage], cosines: NDArray[np.float32] | None
) -> NDArray[np.float64]:
    """How near each memory is to each passage: shape (memories, passages)."""
    texts = [f"{memory['memory']} {' '.join(memory['categories'])}" for memory in memories]
    index = InvertedIndex(texts, list(range(len(texts))))
    scores = WORDS * np.stack([np.asarray(index.scores(passage.text).own) for passage in said], axis=1)
    if cosines is not None:
        scores = scores + cosines
    weighed: NDArray[np.float64] = scores * [passage.weight for passage in said]
    return weighed


def _newest(memories: Sequence[StoredMemory]) -> list[int]:
    return sorted(range(len(memories)), key=lambda place: memories[place]["updated_at"], reverse=True)[:NEWEST]


def _due(memories: Sequence[StoredMemory], at: datetime) -> list[int]:
    """The memories whose date is nearest, from some weeks ago to some days ahead."""
    near: list[tuple[timedelta, int]] = []
    for place, memory in enumerate(memories):
        away = parse_iso(memory["event_date"]) - at if memory["event_date"] else None
        if away is not None and -BEFORE <= away <= AFTER:
            near.append((abs(away), place))
    return [place for _, place in sorted(near)[:DUE]]
