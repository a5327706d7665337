"""The index of an owner is derived: thrown away at any time it says the same, and it knows what others wrote."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from langchain_mem import LongTermStore, Memory
from langchain_mem.repository.owners import owners_of
from langchain_mem.testing import FakeClock, FakeEmbeddings

TOPICS = ["the cello", "window seats", "peanuts", "a violin lesson", "Oslo in spring", "the dog Rex", "night trains"]
ENGINES = ["dictionary", "chroma", "postgres"]

Open = Callable[..., LongTermStore]


@pytest.fixture(params=ENGINES)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens a store of one engine: the same data each time, but for the dictionary."""
    stores: list[LongTermStore] = []
    dsn = request.getfixturevalue("postgres_dsn") if request.param == "postgres" else None
    client = request.getfixturevalue("chroma_client") if request.param == "server" else None
    schema = f"s{uuid.uuid4().hex}"

    def open_(**more: Any) -> LongTermStore:
        if request.param == "dictionary":
            store = LongTermStore.in_memory(embed=FakeEmbeddings(), **more)
        elif request.param == "chroma":
            store = LongTermStore.chroma(tmp_path / "memory", embed=FakeEmbeddings(), **more)
        elif request.param == "server":
            store = LongTermStore.chroma(client=client, collection=schema, embed=FakeEmbeddings(), **more)
        else:
            store = LongTermStore.postgres(dsn, schema=schema, embed=FakeEmbeddings(), **more)
        stores.append(store)
        return store

    yield open_
    for store in stores:
        store.close()


def said(memory: Memory, query: str, **ids: Any) -> list[tuple[str, Any]]:
    """What a search finds with its scores, in the order of the texts: scores that are equal come in any order."""
    # all of them: which of two equal scores comes last would depend on the last digit of a product
    results = memory.search(query, top_k=100, threshold=0.0, order="score", **ids)["results"]
    found = sorted((result["memory"], result["score"]) for result in results)
    return [(text, pytest.approx(score, abs=1e-4)) for text, score in found]


@pytest.mark.parametrize("opened", [*ENGINES, pytest.param("server", marks=pytest.mark.soak)], indirect=True)
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 6))])
def test_thrown_away_at_random_it_says_the_same(opened: Open, seed: int) -> None:
    """After any adds, updates, deletes and passing days, a kept index and one made anew give the same answers."""
    rng, clock = random.Random(seed), FakeClock()
    memory = Memory(opened(clock=clock), clock=clock, reinforce="none")
    owners = owners_of(memory.store.items)
    known: list[str] = []
    for step in range(12):
        action = rng.choice(["add", "add", "note", "update", "delete", "wait"])
        text = f"In step {step} Alex spoke of {rng.choice(TOPICS)} and of {rng.choice(TOPICS)}"
        if action in ("add", "note") or not known:
            run = {"run_id": "trip"} if action == "note" else {}
            added = memory.add([text, f"Then of {rng.choice(TOPICS)}"], user_id="alex", infer=False, **run)
            known += [result["id"] for result in added["results"]]
        elif action == "update":
            memory.update(rng.choice(known), text, user_id="alex")
        elif action == "delete":
            memory.delete(known.pop(rng.randrange(len(known))), user_id="alex")
        else:
            clock.advance(timedelta(hours=rng.randrange(40)))
        query = f"{rng.choice(TOPICS)} with {rng.choice(TOPICS)}"
        memory.flush()  # uses are written in the background; one on its way counts in one of two searches
        kept = [said(memory, query, user_id="alex"), said(memory, query, user_id="alex", run_id="trip")]
        owners.forget()
        assert [said(memory, query, user_id="alex"), said(memory, query, user_id="alex", run_id="trip")] == kept
    memory.close()


@pytest.mark.parametrize("opened", [*ENGINES, "server"], indirect=True)
def test_a_second_memory_sees_each_write_at_its_next_search(opened: Open) -> None:
    """Whatever one adds, changes and deletes the other finds, changes and misses, though it holds an index."""
    one = Memory(opened())
    other = Memory(one.store if isinstance(one.store, LongTermStore) and _alone(one.store) else opened())
    assert said(other, "cello", user_id="alex") == []
    added = one.add("Alex plays the cello", user_id="alex", infer=False)["results"][0]["id"]
    assert [text for text, _ in said(other, "cello", user_id="alex")] == ["Alex plays the cello"]
    one.update(added, "Alex plays the violin", user_id="alex")
    assert [text for text, _ in said(other, "cello", user_id="alex")] == ["Alex plays the violin"]
    one.delete(added, user_id="alex")
    assert said(other, "cello", user_id="alex") == []
    one.close()
    other.close()


def _alone(store: LongTermStore) -> bool:
    """Whether nobody else can open what this store holds: it lies in this process."""
    return type(store.items.backend).__name__ == "DictionaryBackend"


@pytest.mark.parametrize("opened", ["server", "postgres"], indirect=True)
def test_only_what_changed_travels(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 memories that a process holds, a search after another process's write fetches the one that is new."""
    one, other = Memory(opened()), Memory(opened())
    one.add([f"Fact {n} about {TOPICS[n % 7]}" for n in range(200)], user_id="alex", infer=False)
    said(other, "cello", user_id="alex")
    backend = other.store.items.backend  # type: ignore[attr-defined]
    fetched: list[int] = []
    changes = backend.changes

    async def counted(*given: Any) -> Any:
        found = await changes(*given)
        fetched.append(len(found.addresses))
        return found

    monkeypatch.setattr(backend, "changes", counted)
    one.add("Alex sold the cello", user_id="alex", infer=False)
    assert "Alex sold the cello" in [text for text, _ in said(other, "sold cello", user_id="alex")]
    said(other, "sold cello", user_id="alex")
    assert fetched == [1, 0]
    one.close()
    other.close()


async def test_searches_that_wait_share_one_look(fresh_postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty searches of one owner at once ask the store a few times what changed, and all find what was just added."""
    async with LongTermStore.postgres(fresh_postgres_dsn, embed=FakeEmbeddings()) as store:
        memory = Memory(store, reinforce="none")
        await memory.aadd("Alex plays the cello", user_id="alex", infer=False)
        await memory.asearch("cello", user_id="alex")
        looks = 0
        changes = store.items.backend.changes  # type: ignore[attr-defined]

        async def counted(*given: Any) -> Any:
            nonlocal looks
            looks += 1
            return await changes(*given)

        monkeypatch.setattr(store.items.backend, "changes", counted)
        monkeypatch.setattr(store.items, "_following", store.items.backend)
        await memory.aadd("Alex sold the cello", user_id="alex", infer=False)
        looks = 0
        found = await asyncio.gather(*(memory.asearch("sold cello", user_id="alex") for _ in range(20)))
        assert all("Alex sold the cello" in [each["memory"] for each in one["results"]] for one in found)
        assert 1 <= looks <= 4


def test_an_owner_who_outgrows_the_budget_is_let_go(opened: Open) -> None:
    """Also one who was small when the index was made, and grew by single writes."""
    memory = Memory(store := opened(), cache_bytes=60_000)
    owners = owners_of(store.items)
    held = []
    for n in range(60):
        memory.add(f"Fact {n} about {TOPICS[n % 7]}", user_id="alex", infer=False)
        memory.search("cello", user_id="alex")
        held.append(owners.nbytes)
    assert max(held) > 0
    assert max(held) <= 60_000
    assert held[-1] == 0
    memory.close()


def test_an_owner_too_large_for_the_budget_is_answered_all_the_same(opened: Open) -> None:
    """With a budget of a few memories the answer is that of the whole, and nothing is held."""
    memory = Memory(store := opened(), reinforce="none")
    memory.add([f"Fact {n} about {TOPICS[n % 7]}" for n in range(60)], user_id="alex", infer=False)
    whole = said(memory, "dog Rex 33", user_id="alex")
    owners = owners_of(store.items, 10_000)
    owners.forget()
    assert said(memory, "dog Rex 33", user_id="alex") == whole
    assert owners.nbytes == 0
    memory.close()
