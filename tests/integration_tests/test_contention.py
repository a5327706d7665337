"""Many writers of one memory: each gets its turn, and no change is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from langchain_mem import Decay, LongTermStore, Memory

COROUTINES = 40
MANY, UPDATES = 500, 100
THREADS = 8


@pytest.fixture
def memory(store: LongTermStore) -> Iterator[Memory]:
    """A memory on each engine."""
    with Memory(store, decay=Decay(max_touches=1_000)) as memory:
        yield memory


def _versions(memory: Memory, memory_id: str) -> set[str | None]:
    return {change["new_memory"] for change in memory.history(memory_id)}


def test_coroutines_that_update_one_memory(memory: Memory) -> None:
    """Forty concurrent updates are all carried out, and all in the history."""
    [made] = memory.add("at first", user_id="alex")["results"]

    async def update_all() -> None:
        await asyncio.gather(*(memory.aupdate(made["id"], f"text {number}") for number in range(COROUTINES)))

    asyncio.run(update_all())
    assert _versions(memory, made["id"]) == {"at first", *(f"text {number}" for number in range(COROUTINES))}


def test_threads_that_update_one_memory(memory: Memory) -> None:
    """Eight threads update one memory five times each; none is refused, none is lost."""
    [made] = memory.add("at first", user_id="alex")["results"]
    texts = [f"text {number}" for number in range(5 * THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda text: memory.update(made["id"], text), texts))
    assert _versions(memory, made["id"]) == {"at first", *texts}


def test_identical_additions_are_one_memory(memory: Memory) -> None:
    """Forty coroutines say the same: one of them adds it."""

    async def add_all() -> list[str]:
        added = await asyncio.gather(*(memory.aadd("Likes tea", user_id="alex") for _ in range(COROUTINES)))
        return [each["results"][0]["event"] for each in added]

    assert sorted(asyncio.run(add_all())) == ["ADD"] + ["NONE"] * (COROUTINES - 1)
    assert memory.get_all(user_id="alex")["count"] == 1


def _uses(memory: Memory) -> int:
    memory.flush()
    (found,) = memory.explain("Likes tea", user_id="alex")["results"]
    return int(found["score_details"]["touches"])


def test_threads_that_find_one_memory(memory: Memory) -> None:
    """Each of forty searches on eight threads is counted as a use."""
    memory.add("Likes tea", user_id="alex")
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: memory.search("tea", user_id="alex"), range(5 * THREADS)))
    assert _uses(memory) == 1 + 5 * THREADS


@pytest.mark.soak
def test_five_hundred_coroutines(memory: Memory) -> None:
    """Five hundred that say the same add one memory, five hundred that find it are counted, and updates all land."""

    async def at_once() -> tuple[list[str], int]:
        added = await asyncio.gather(*(memory.aadd("Likes tea", user_id="alex") for _ in range(MANY)))
        await asyncio.gather(*(memory.asearch("tea", user_id="alex") for _ in range(MANY)))
        uses = _uses(memory)
        key = added[0]["results"][0]["id"]
        mixed = [memory.aupdate(key, f"Likes tea {number}") for number in range(UPDATES)]
        mixed += [memory.asearch("tea", user_id="alex") for _ in range(UPDATES)]
        mixed += [memory.aadd(f"Fact {number}", user_id="alex") for number in range(UPDATES)]
        await asyncio.gather(*mixed)
        assert _versions(memory, key) == {"Likes tea", *(f"Likes tea {number}" for number in range(UPDATES))}
        return sorted(each["results"][0]["event"] for each in added), uses

    events, uses = asyncio.run(at_once())
    assert events == ["ADD"] + ["NONE"] * (MANY - 1)
    assert uses >= 1 + MANY  # an addition that finds its memory is a use, too
    assert memory.get_all(user_id="alex")["count"] == 1 + UPDATES
