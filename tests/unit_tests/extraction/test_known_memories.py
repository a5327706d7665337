"""Which memories a conversation may be about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import pytest

from langchain_mem.extraction.known_memories import NEWEST, Passage, passages, relevant
from langchain_mem.extraction.messages import Turn
from langchain_mem.model.instants import iso
from langchain_mem.model.records import StoredMemory

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def memory(text: str, *, days: int = 100, event: int | None = None, categories: tuple[str, ...] = ()) -> StoredMemory:
    told: dict[str, Any] = {
        "memory": text,
        "categories": list(categories),
        "updated_at": iso(NOW - timedelta(days=days)),
    }
    told["event_date"] = None if event is None else iso(NOW + timedelta(days=event))
    return cast(StoredMemory, told)


OTHERS = [memory(f"Unrelated remark number {number}", days=10 + number) for number in range(60)]


def chosen(memories: list[StoredMemory], *said: str, limit: int = 12) -> set[str]:
    asked = passages([Turn(role="user", text=text) for text in said])
    return {memories[place]["memory"] for place in relevant(memories, asked, None, at=NOW, limit=limit)}


def test_few_are_all_shown() -> None:
    """Nothing is chosen where everything fits."""
    assert relevant(OTHERS[:5], [Passage("x", 1.0)], None, at=NOW, limit=5) == [0, 1, 2, 3, 4]


def test_each_sentence_is_asked_for_by_itself() -> None:
    """What one sentence of a long message contradicts is found, whatever the others are about."""
    wanted = memory("Has two Labrador mixes")
    long = " ".join(f"Unrelated remark number {number} again." for number in range(12))
    assert wanted["memory"] in chosen(
        [*OTHERS, wanted], f"{long} Our Labrador mixes are really Jack Russells.", limit=20
    )


def test_the_newest_and_the_due_come_along() -> None:
    """What changed last, and what has its date these weeks, is shown whatever was said."""
    newest = [memory(f"New thing {number}", days=0) for number in range(NEWEST)]
    due = memory("Is to be operated on", days=90, event=-3)
    far = memory("Is to retire", days=90, event=3000)
    found = chosen([*OTHERS, *newest, due, far], "Unrelated remark number 5 number 6 number 7")
    assert {each["memory"] for each in [*newest, due]} <= found
    assert far["memory"] not in found


def test_meaning_counts_beside_words() -> None:
    """A memory without a common word is found by its cosine."""
    cosines = np.zeros((60, 1), dtype=np.float32)
    cosines[59] = 0.9
    assert 59 in relevant(OTHERS, [Passage("quite other words", 1.0)], cosines, at=NOW, limit=7)


@pytest.mark.parametrize("limit", [7, 20, 59])
def test_never_more_than_asked(limit: int) -> None:
    """The limit holds, and the order is that of the store."""
    found = relevant(OTHERS, passages([Turn(role="user", text="remark")]), None, at=NOW, limit=limit)
    assert len(found) == limit
    assert found == sorted(found)
