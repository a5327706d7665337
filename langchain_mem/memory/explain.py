"""`explain`: why a search returns what it returns. Every candidate, with its parts and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, TypedDict, Unpack

from langchain_mem.decay.policy import Decay
from langchain_mem.memory.operation import operation
from langchain_mem.memory.options import check_limit
from langchain_mem.memory.search import POOL, check_search, search
from langchain_mem.memory.settings import Settings
from langchain_mem.model.instants import iso
from langchain_mem.model.records import FoundMemory
from langchain_mem.model.scopes import Ids, Scope

Outcome: TypeAlias = Literal["returned", "beyond top_k", "beyond the pool", "below the threshold"]
"""What becomes of a candidate in a search."""

EVERYTHING: Final = 1_000_000
"""A `top_k` that leaves nothing out."""


class Candidate(FoundMemory):
    """A memory that a search weighed, and what became of it."""

    outcome: Outcome


class Explained(TypedDict):
    """What `explain` returns: candidates, best first."""

    query: str
    results: list[Candidate]


async def _explain(
    settings: Settings,
    query: str,
    *,
    filters: Mapping[str, Any] | None = None,
    top_k: int = 10,
    threshold: float = 0.1,
    decay: Decay | bool | None = None,
    layers: Collection[str] | None = None,
    show_expired: bool = False,
    latest_only: bool = True,
    most: int = EVERYTHING,
    **ids: Unpack[Ids],
) -> Explained:
    """Every memory in scope with how its score comes about, and whether a search would return it.

    Nothing counts as used.

    Args:
        query: As for `search`.
        filters: As for `search`.
        top_k: As for `search`; what lies beyond is shown too.
        threshold: As for `search`; what lies below is shown too.
        decay: As for `search`.
        layers: As for `search`.
        show_expired: As for `search`.
        latest_only: As for `search`.
        most: At most so many candidates are told, the best. A pool is counted among those.
        **ids: Whose memories.

    Returns:
        The candidates, best first, each with `score_details` and an `outcome`: "returned", "beyond top_k",
        "beyond the pool" (too many others are more relevant before decay), or "below the threshold".

    Raises:
        ScopeError: No owner is named.
        FilterError: `filters` names an unknown field or operator, or a value has the wrong type.
        InvalidRequest: The query is empty, or an argument out of range.
    """
    check_search(query, top_k, threshold)
    check_limit(most)
    with settings.activity.silent():
        weighed = await search.body(
            settings,
            query,
            filters=filters,
            top_k=most,
            threshold=0.0,
            explain=True,
            decay=decay,
            order="score",
            show_expired=show_expired,
            latest_only=latest_only,
            layers=layers,
            reinforce="none",
            **ids,
        )
    found = weighed["results"]
    outcomes = _outcomes(found, top_k, threshold)
    results: list[Candidate] = [{**memory, "outcome": outcomes[memory["id"]]} for memory in found]
    told = {"query": settings.quoted(query), "candidates": len(results)}
    settings.activity.record("explain", iso(settings.now()), Scope.of(ids).ids(), **told)
    return {"query": query, "results": results}


explain, aexplain = operation(_explain)


def _outcomes(found: Sequence[FoundMemory], top_k: int, threshold: float) -> dict[str, Outcome]:
    """What becomes of candidates that come best first."""
    relevance = {memory["id"]: memory["score_details"]["relevance"] for memory in found}
    above = [memory_id for memory_id, value in relevance.items() if value >= threshold]
    pool = set(sorted(above, key=lambda memory_id: -relevance[memory_id])[: max(3 * top_k, POOL)])
    returned = set([memory_id for memory_id in above if memory_id in pool][:top_k])
    return {memory_id: _outcome(memory_id, set(above), pool, returned) for memory_id in relevance}


def _outcome(memory_id: str, above: set[str], pool: set[str], returned: set[str]) -> Outcome:
    if memory_id in returned:
        return "returned"
    if memory_id in pool:
        return "beyond top_k"
    return "beyond the pool" if memory_id in above else "below the threshold"
