"""A memory of one process, that says how much of an owner's index it had to read anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from langchain_mem import LongTermStore, Memory
from langchain_mem.testing import FakeClock

OWNER = {"user_id": "alex"}
QUESTION = "Which town has the number 77?"


class Opened:
    """A store, opened with a clock, and a memory on it.

    Args:
        opening: Opens the store with the clock.

    Attributes:
        loaded: How many rows an index has had to take in.
    """

    def __init__(self, opening: Callable[[FakeClock], LongTermStore]) -> None:
        self.clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.store = opening(self.clock)
        self.memory = Memory(self.store, clock=self.clock, purge_after=timedelta(days=30))
        self.loaded = 0
        following = self.store.items.changes

        async def changes(*asked: Any) -> Any:
            found = await following(*asked)
            self.loaded += 0 if found is None else len(found.addresses)
            return found

        self.store.items.changes = changes  # type: ignore[method-assign]

    def fill(self, count: int) -> None:
        self.memory.add([f"Town {n} has the number {n * 7}." for n in range(count)], infer=False, **OWNER)

    def search(self, **options: Any) -> list[tuple[str, float]]:
        """What is found, with the scores."""
        found = self.memory.search(QUESTION, reinforce="none", **OWNER, **options)["results"]
        return [(each["memory"], each["score"]) for each in found]

    def close(self) -> None:
        self.memory.close()
        self.store.close()
