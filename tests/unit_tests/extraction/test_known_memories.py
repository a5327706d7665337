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


def memory(
    text: str, *, days: int = 100, event: int | None = None, categories: tuple[str, ...] = (), always: bool = False
) -> StoredMemory:
    told: dict[str, Any] = {
        "memory": text,
        "categories": list(categories),
        "updated_at": iso(NOW - timedelta(days=days)),
        "importance": "always" if always else "normal",
    }
    told["event_date"] = None if event is None else iso(NOW + timedelta(days=event))
    return cast(StoredMemory, told)


OTHERS = [memory(f"Unrelated remark number {number}", days=10 + number) for number in range(60)]


def chosen(memories: list[StoredMemory], *said: str, limit: int = 12) -> set[str]:
    asked = passages([Turn(role="user", text=text) for text in said])
    costs = [1] * len(memories)
    return {memories[place]["memory"] for place in relevant(memories, asked, None, at=NOW, costs=costs, budget=limit)}


def test_few_are_all_shown() -> None:
    """Nothing is chosen where everything fits."""
    few = relevant(OTHERS[:5], [Passage("x", 1.0)], None, at=NOW, costs=[1] * 5, budget=5)
    assert few == [0, 1, 2, 3, 4]


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
    found = relevant(OTHERS, [Passage("quite other words", 1.0)], cosines, at=NOW, costs=[1] * 60, budget=7)
    assert 59 in found


@pytest.mark.parametrize("budget", [70, 200, 599])
def test_never_more_than_the_budget(budget: int) -> None:
    """What is shown costs at most the budget, and leaves no room for another one; the order is that of the store."""
    costs = [10 + place % 3 for place in range(60)]
    said = passages([Turn(role="user", text="remark")])
    found = relevant(OTHERS, said, None, at=NOW, costs=costs, budget=budget)
    assert budget - 10 < sum(costs[place] for place in found) <= budget
    assert found == sorted(found)


def test_what_every_answer_respects_comes_along() -> None:
    """What is important is shown whatever was said, and takes no more than its share."""
    vital = [memory(f"Is allergic to thing {number}", days=300, always=True) for number in range(12)]
    found = chosen([*OTHERS, *vital], "Unrelated remark number 5", limit=20)
    assert len(found & {each["memory"] for each in vital}) == 3


def test_each_message_brings_its_own() -> None:
    """A message that nothing else is about brings its memory, however much the others match."""
    wanted = memory("Plays the oboe")
    loud = [f"Unrelated remark number {number}" for number in range(6)]
    assert wanted["memory"] in chosen([*OTHERS, wanted], *loud, "I gave the oboe away", limit=20)
