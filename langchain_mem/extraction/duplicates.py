"""Which memories say the same, and which are about the same, without a model.

Two memories are duplicates if their names, numbers, dates and negations agree (`grounding.may_say_the_same`) and they
have the same words, in whatever order, or nearly the same meaning (a cosine of at least 0.95).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from langchain_mem.extraction.consolidation import size
from langchain_mem.extraction.grounding import may_say_the_same
from langchain_mem.extraction.reconcile import SAME_MEANING
from langchain_mem.model.records import StoredMemory
from langchain_mem.ranking.tokens import tokenize

_BLOCK = 512  # rows of a product of vectors at a time: ten thousand memories at once would be 400 MB


def duplicates(memories: Sequence[StoredMemory], vectors: NDArray[np.float32] | None) -> list[list[int]]:
    """Groups of memories that say the same, as places; of each group the first is the one to keep.

    Args:
        memories: The memories.
        vectors: Shape (memories, dims), of unit length; `None` without an embedder.
    """
    groups: dict[int, list[int]] = {}
    member_of: dict[int, int] = {}
    for one, other in [*_same_words(memories), *_same_meaning(vectors)]:
        first, second = member_of.get(one, one), member_of.get(other, other)
        if first != second and _may_be_one(memories[first], memories[second]):
            groups.setdefault(first, [first]).extend(groups.pop(second, [second]))
            member_of |= dict.fromkeys(groups[first], first)
    return [sorted(group, key=lambda place: _worth(memories[place]), reverse=True) for group in groups.values()]


def _may_be_one(one: StoredMemory, other: StoredMemory) -> bool:
    dates = {(each["event_date"], each["event_end"]) for each in (one, other)} - {(None, None)}
    return len(dates) < 2 and may_say_the_same(one["memory"], other["memory"])


def _same_words(memories: Sequence[StoredMemory]) -> Iterator[tuple[int, int]]:
    first: dict[tuple[str, ...], int] = {}
    for place, memory in enumerate(memories):
        words = tuple(sorted(tokenize(memory["memory"])))
        if words and first.setdefault(words, place) != place:
            yield first[words], place


def _same_meaning(vectors: NDArray[np.float32] | None) -> Iterator[tuple[int, int]]:
    if vectors is None:
        return
    for start in range(0, len(vectors), _BLOCK):
        near = vectors[start : start + _BLOCK] @ vectors[start:].T >= SAME_MEANING
        for one, other in zip(*np.nonzero(np.triu(near, 1)), strict=True):
            yield start + int(one), start + int(other)


def _worth(memory: StoredMemory) -> tuple[bool, bool, bool, int, str]:
    """What makes one of several wordings the one to keep: sure, marked, dated, long, new."""
    always, dated = memory["importance"] == "always", memory["event_date"] is not None
    return memory["doubt"] is None, always, dated, len(memory["memory"]), memory["updated_at"]


def neighborhoods(
    memories: Sequence[StoredMemory], vectors: NDArray[np.float32] | None, limit: int
) -> Iterator[list[int]]:
    """Memories in portions of about so many tokens, what is about the same together, the densest first.

    Args:
        memories: The memories.
        vectors: Shape (memories, dims), of unit length; `None` without an embedder: then by age.
        limit: At most so many tokens a portion.
    """
    left = dict.fromkeys(sorted(range(len(memories)), key=lambda place: memories[place]["created_at"]))
    while left:
        portion = _portion(memories, vectors, left, limit)
        yield sorted(portion, key=lambda place: memories[place]["updated_at"])


def _portion(
    memories: Sequence[StoredMemory], vectors: NDArray[np.float32] | None, left: dict[int, None], limit: int
) -> list[int]:
    """Takes one portion out of what is left: a memory with a near neighbor, then what is nearest to any taken."""
    portion: list[int] = []
    while left:
        place = next(iter(left)) if vectors is None else _nearest(vectors, portion, list(left))
        if portion and size([memories[each] for each in [*portion, place]]) > limit:
            break
        portion.append(place)
        del left[place]
    return portion


def _nearest(vectors: NDArray[np.float32], portion: Sequence[int], left: Sequence[int]) -> int:
    there = vectors[list(left)]
    if portion:
        return left[int(np.argmax((there @ vectors[list(portion)].T).max(axis=1)))]
    if len(left) > _BLOCK:
        there = there[:_BLOCK]
    near = there @ there.T
    np.fill_diagonal(near, -1)
    return left[int(np.argmax(near.max(axis=1)))]
