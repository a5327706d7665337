"""Which of the recalled memories an answer drew on. Pure.

A memory was used where the answer cites its id, or says what only it says:

    weight(w) = 1 / (how many of the recalled memories have the word w)
    share(m)  = Σ weight(w) over words of m that the answer has and the question has not
                ÷ Σ weight(w) over words of m that the question has not
    used(m)   ⇔ share(m) ≥ 1/4

Words are stemmed, without stop words. Where the question has every word of a memory, all its words count: "Am I a
vegetarian?" answered by "Yes, you are a vegetarian".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from langchain_mem.ranking.tokens import tokenize

MemoryT = TypeVar("MemoryT", bound=Mapping[str, Any])

LEAST_SHARE: Final = 0.25
"""The share of a memory's words from which an answer is taken to draw on it."""


def used(memories: Sequence[MemoryT], question: str, answer: str) -> list[MemoryT]:
    """The memories an answer drew on, in order.

    Args:
        memories: What was recalled.
        question: What was asked.
        answer: What was answered.
    """
    words = [frozenset(tokenize(memory["memory"])) for memory in memories]
    spread = Counter(word for each in words for word in each)
    asked, said = frozenset(tokenize(question)), frozenset(tokenize(answer))
    return [
        memory
        for memory, own in zip(memories, words, strict=True)
        if memory["id"] in answer or _share(own - asked or own, said, spread) >= LEAST_SHARE
    ]


def _share(words: frozenset[str], said: frozenset[str], spread: Mapping[str, int]) -> float:
    whole = sum(1 / spread[word] for word in words)
    return sum(1 / spread[word] for word in words & said) / whole if whole else 0.0
