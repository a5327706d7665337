"""What is counted and listed of everyone by columns is what the rows say, whatever was written since."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from langchain_mem import LongTermStore, Memory
from langchain_mem._flow import arun, run
from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.repository.overview import Overview
from langchain_mem.testing import FakeClock, FakeEmbeddings


class Counted(DictionaryBackend):
    """Notes how many rows it hands over whole."""

    def __init__(self) -> None:
        super().__init__()
        self.told = 0

    async def search(self, query: Any) -> Any:
        found = await super().search(query)
        self.told += len(found)
        return found

    async def changes(self, *asked: Any) -> Any:
        found = await super().changes(*asked)
        self.told += len(found.addresses) if found else 0
        return found


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> LongTermStore:
    return LongTermStore(Counted(), index={"embed": FakeEmbeddings(), "dims": 64}, clock=clock)


@pytest.fixture
def memory(store: LongTermStore, clock: FakeClock) -> Iterator[Memory]:
    with Memory(store, clock=clock, all_owners=True, purge_after=None) as memory:
        for owner in ("alex", "bob"):
            for number in range(5):
                memory.add(f"Fact {number} of {owner}.", user_id=owner, categories=["food"])
        yield memory


def _told(memory: Memory) -> dict[str, Any]:
    """What every page that counts or lists would show."""
    bodies = memory.operations
    return {
        "census": run(bodies.census()),
        "counts": run(bodies.counts()),
        "alex": run(bodies.counts(user_id="alex")),
        "growth": run(bodies.growth()),
        "ending": run(bodies.ending(timedelta(days=30))),
        "latest": run(bodies.latest()),
        "found": run(bodies.look(keywords="FACT", states=("live", "deleted"), limit=3, offset=1)),
        "marked": run(bodies.look(filters={"metadata.color": "red"})),
    }


def _by_rows(memory: Memory, clock: FakeClock) -> dict[str, Any]:
    """The same by reading every memory."""
    with Memory(memory.store, clock=clock, all_owners=True) as other:
        other.settings.overview = None
        return _told(other)


def test_it_says_what_the_rows_say(memory: Memory, clock: FakeClock):
    """After each kind of write, after time has passed, after something went for good, and with an owner who is new."""
    ids = [each["id"] for each in memory.get_all(user_id="alex")["results"]]
    steps = (
        lambda: None,
        lambda: memory.add("Fact of a newcomer.", agent_id="helper", run_id="trip", metadata={"color": "red"}),
        lambda: memory.update(ids[0], "Fact that changed."),
        lambda: memory.delete(ids[1]),
        lambda: (memory.search("Fact 2 of alex.", user_id="alex", top_k=1), memory.flush()),
        lambda: memory.add("Fact for a week.", user_id="bob", expiration_date=timedelta(days=7)),
        lambda: clock.advance(days=9),
        lambda: memory.purge_expired(),
        lambda: memory.erase("bob"),
        lambda: memory.reset(),
        lambda: memory.add("Fact after all.", user_id="bob"),
    )
    for number, step in enumerate(steps):
        step()
        assert (number, _told(memory)) == (number, _by_rows(memory, clock))


def test_what_is_known_is_not_read_again(memory: Memory, store: LongTermStore):
    """A second look hands over only what was written since."""
    backend: Any = store.items.backend
    run(memory.operations.census())
    memory.add("One more.", user_id="alex")
    backend.told = 0
    run(memory.operations.census())
    assert backend.told == 1


def test_many_looks_on_an_event_loop(memory: Memory, clock: FakeClock, store: LongTermStore):
    """Bodies on a loop tell the same."""
    import asyncio

    expected = run(memory.operations.census())

    async def both() -> list[Any]:
        with Memory(store, clock=clock, all_owners=True) as other:
            return list(await asyncio.gather(*(arun(other.operations.census()) for _ in range(3))))

    assert asyncio.run(both()) == [expected] * 3


def test_too_many_are_left_to_the_store(memory: Memory, store: LongTermStore):
    """A store that holds more than may be held is read, and says the same."""
    expected = run(memory.operations.census())
    memory.settings.overview = Overview(store.items, most=9)
    assert run(memory.operations.census()) == expected
    assert run(memory.settings.overview.briefs([("memories",)], _everything(), memory.clock())) is None


def _everything() -> Any:
    from langchain_mem.filters.conditions import conjunction

    return conjunction()


def test_a_search_among_everyone_reads_only_what_it_returns(memory: Memory, store: LongTermStore):
    """An administrator's search asks the owners' indexes, which are held."""
    backend: Any = store.items.backend
    first = memory.search("Fact 2 of bob.", top_k=2)["results"]
    backend.told = 0
    assert memory.search("Fact 2 of bob.", top_k=2)["results"] == first
    assert first[0]["memory"] == "Fact 2 of bob."
    assert backend.told == 0
