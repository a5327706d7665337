"""However many memories an operation touches, the store is asked a fixed number of times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from langchain_mem import LongTermStore, Memory
from langchain_mem.testing import FakeEmbeddings

METHODS = ("get", "write", "search", "count", "scan", "stamp", "changes", "namespaces", "lexical", "purge")


@contextmanager
def counted(memory: Memory) -> Iterator[dict[str, int]]:
    """How often each method of a memory's backend is called."""
    backend: Any = memory.store.items.backend  # type: ignore[attr-defined]
    calls: dict[str, int] = {}

    def counting(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any) -> Any:
            calls[name] = calls.get(name, 0) + 1
            return await method(*args)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in METHODS:
            patch.setattr(backend, name, counting(name, getattr(backend, name)))
        yield calls


def facts(count: int, start: int = 0) -> list[str]:
    return [f"Fact number {n}" for n in range(start, start + count)]


def fresh() -> Memory:
    """A memory that has been used before, so that what is done once a process is done."""
    memory = Memory(LongTermStore.in_memory(embed=FakeEmbeddings()))
    memory.add("Anything", user_id="alex", infer=False)
    memory.search("Anything", user_id="alex")
    return memory


def exported(count: int) -> list[str]:
    memory = fresh()
    memory.add(facts(count), user_id="alex", infer=False)
    return memory.export(user_id="alex")


def adding(count: int) -> Callable[[Memory], Any]:
    return lambda memory: memory.add(facts(count), user_id="alex", infer=False)


def adding_again(count: int) -> Callable[[Memory], Any]:
    return lambda memory: [memory.add(facts(count), user_id="alex", infer=False) for _ in range(2)]


def importing(count: int) -> Callable[[Memory], Any]:
    lines = exported(count)
    return lambda memory: memory.import_(lines)


def updating(count: int) -> Callable[[Memory], Any]:
    def update(memory: Memory) -> Any:
        added = memory.add(facts(count), user_id="alex", infer=False)["results"]
        return memory.batch_update(
            [{"memory_id": one["id"], "text": one["memory"] + "!"} for one in added], user_id="alex"
        )

    return update


def deleting(count: int) -> Callable[[Memory], Any]:
    def delete(memory: Memory) -> Any:
        added = memory.add(facts(count), user_id="alex", infer=False)["results"]
        return memory.batch_delete([{"memory_id": one["id"]} for one in added], user_id="alex")

    return delete


def searching(count: int) -> Callable[[Memory], Any]:
    def search(memory: Memory) -> Any:
        memory.add(facts(count), user_id="alex", infer=False)
        return memory.search("Fact number 3", user_id="alex"), memory.get_all(user_id="alex")

    return search


@pytest.mark.parametrize("doing", [adding, adding_again, importing, updating, deleting, searching])
def test_a_hundred_take_as_many_calls_as_two(doing: Callable[[int], Callable[[Memory], Any]]) -> None:
    """The calls of an operation do not follow how many memories it is about."""
    counts = []
    for size in (2, 100):
        memory, step = fresh(), doing(size)
        with counted(memory) as calls:
            step(memory)
        counts.append(calls)
    assert counts[0] == counts[1]
    assert sum(counts[0].values()) <= 12
