"""On Postgres, where changes tell nothing of uses, what the inspector counts of everyone is not read row by row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from langchain_mem import LongTermStore, Memory
from langchain_mem._flow import run
from langchain_mem.testing import FakeClock, FakeEmbeddings


def _counted(memory: Memory) -> dict[str, Any]:
    bodies = memory.operations
    return {
        "census": run(bodies.census()),
        "counts": run(bodies.counts(user_id="alex")),
        "growth": run(bodies.growth()),
        "kims": run(bodies.growth(user_id="kim")),
        "ending": [each["memory"]["id"] for each in run(bodies.ending(timedelta(days=30)))],
    }


def _noting(inner: Callable[..., Any], read: list[int]) -> Callable[..., Any]:
    async def noted(*args: Any) -> Any:
        found = await inner(*args)
        read.append(len(found))
        return found

    return noted


def test_counts_on_postgres_read_no_row(fresh_postgres_dsn: str):
    """Owners, counts, growth and uses by day are those of the rows, and only what expires is read to be shown."""
    clock = FakeClock()
    store = LongTermStore.postgres(fresh_postgres_dsn, embed=FakeEmbeddings(), clock=clock)
    with store, Memory(store, clock=clock, all_owners=True) as memory:
        for owner in ("alex", "kim"):
            memory.add([f"Fact {number} of {owner}." for number in range(4)], user_id=owner, infer=False)
        memory.add("Visits on Sunday.", user_id="alex", expiration_date=timedelta(days=3), infer=False)
        clock.advance(days=2)
        for owner in ("alex", "kim", "kim"):
            memory.search("Which fact?", user_id=owner)
        memory.flush()
        memory.settings.overview, overview = None, memory.settings.overview
        by_rows = _counted(memory)
        memory.settings.overview = overview
        backend, read = store.items.backend, list[int]()
        backend.get, backend.search = _noting(backend.get, read), _noting(backend.search, read)  # type: ignore[method-assign]
        assert _counted(memory) == by_rows
    assert sum(day["used"] for day in by_rows["growth"]) > 0
    assert read == [1]
