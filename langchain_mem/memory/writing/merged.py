"""The memory that several become which are merged: what it keeps of each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from langchain_mem.memory.writing.drafts import Draft
from langchain_mem.model.phrases import MOST_PHRASES
from langchain_mem.model.records import StoredMemory, phrases_of
from langchain_mem.model.scopes import Namespace


def merged_draft(memories: Sequence[StoredMemory], home: Namespace, text: str) -> Draft:
    """The memory that says all of several.

    Args:
        memories: The several.
        home: Where it is to be.
        text: What it says.
    """
    dates = {(one["event_date"], one["event_end"]) for one in memories if one["event_date"]}
    start, end = next(iter(dates)) if len(dates) == 1 else (None, None)
    sure = [one["confidence"] for one in memories if one["confidence"] is not None]
    ends = [one["expiration_date"] for one in memories]
    return Draft(
        home=home,
        text=text,
        metadata=_all_metadata(memories),
        categories=list(dict.fromkeys(name for one in memories for name in one["categories"])),
        confidence=min(sure) if sure else None,
        doubt=next((one["doubt"] for one in memories if one["doubt"]), None),
        importance="always" if any(one["importance"] == "always" for one in memories) else "normal",
        useful_for=list(dict.fromkeys(phrase for one in memories for phrase in phrases_of(one)))[:MOST_PHRASES],
        event_date=start,
        event_end=end,
        expiration_date=None if None in ends else max(each for each in ends if each),
        cites=list(dict.fromkeys(key for one in memories for key in one["cites"])),
        group=memories[0]["group"],
        position=max(one["position"] for one in memories),
        role=memories[0]["role"] if len({one["role"] for one in memories}) == 1 else None,
    )


def _all_metadata(memories: Iterable[StoredMemory]) -> dict[str, Any]:
    """The metadata of several memories: of a key the newest value, and of lists all that is in them."""
    found: dict[str, Any] = {}
    for memory in sorted(memories, key=lambda one: one["updated_at"]):
        for key, value in memory["metadata"].items():
            both = isinstance(value, list) and isinstance(found.get(key), list)
            found[key] = [*found[key], *(each for each in value if each not in found[key])] if both else value
    return found
