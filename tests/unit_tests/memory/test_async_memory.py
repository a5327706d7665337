"""`Memory` and `AsyncMemory`: the same operations, under the names each promises."""

from __future__ import annotations

import inspect

import pytest

from langchain_mem.memory.facade import AsyncMemory, Memory
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeEmbeddings
from tests.memories import texts


def _public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


OPERATIONS = sorted(name for name in _public(Memory) if f"a{name}" in _public(Memory))


def test_every_operation_has_its_twin() -> None:
    """Each operation of `Memory` has an `a` twin with the same parameters and documentation."""
    assert {"add", "search", "get", "get_all", "update", "delete", "undo", "explain", "tune_decay"} < set(OPERATIONS)
    for name in set(OPERATIONS) - {"close"}:
        plain, twin = getattr(Memory, name), getattr(Memory, f"a{name}")
        assert inspect.signature(plain) == inspect.signature(twin)
        assert plain.__doc__ == twin.__doc__
        assert inspect.iscoroutinefunction(twin)
        assert not inspect.iscoroutinefunction(plain)


def test_async_memory_has_the_same_operations() -> None:
    """`AsyncMemory` has every operation under its plain name, as a coroutine, and no other public names."""
    twins = {f"a{name}" for name in OPERATIONS}
    assert _public(AsyncMemory) == _public(Memory) - twins
    for name in OPERATIONS:
        assert inspect.iscoroutinefunction(getattr(AsyncMemory, name)), name


def test_an_operation_is_found_by_its_name() -> None:
    """Each operation's body is a function of its name in a file of the memory room, where its source is found."""
    for name in set(OPERATIONS) - {"close"}:
        for method in (getattr(Memory, name), getattr(Memory, f"a{name}"), getattr(AsyncMemory, name)):
            body = inspect.unwrap(method)
            assert body.__name__ == f"_{name.rstrip('_')}"
            assert body.__module__.rpartition(".")[0] == "langchain_mem.memory"
            assert f"async def {body.__name__}(" in inspect.getsource(method)


def test_context_waits_for_nothing() -> None:
    """`context` needs no store, so it is plain in both."""
    assert not inspect.iscoroutinefunction(AsyncMemory.context)
    assert AsyncMemory.context is Memory.context


async def test_it_is_entered_and_closed() -> None:
    """`async with` gives the memory and closes it; closing twice is no error."""
    store = LongTermStore.in_memory(embed=FakeEmbeddings())
    async with AsyncMemory(store) as memory:
        await memory.add("Drinks tea", user_id="alex")
        assert texts(await memory.search("tea", user_id="alex")) == ["Drinks tea"]
        assert "Drinks tea" in memory.context(await memory.search("tea", user_id="alex"))
    await memory.close()


async def test_the_default_store_does_not_block_the_loop(tmp_path: object) -> None:
    """The embedded store works from a loop too, and is closed with the memory."""
    async with AsyncMemory(f"{tmp_path}/store") as memory:
        await memory.add("Drinks tea", user_id="alex")
        assert texts(await memory.get_all(user_id="alex")) == ["Drinks tea"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"decay": "fast"}, "decay"),
        ({"decay": {"app": "fast"}}, "decay"),
        ({"min_confidence": 2}, "min_confidence"),
        ({"min_confidence": True}, "min_confidence"),
        ({"reinforce": "always"}, "reinforce"),
    ],
    ids=str,
)
def test_a_memory_that_cannot_be(wrong: dict[str, object], said: str) -> None:
    """Arguments out of range are refused when the memory is made."""
    for cls in (Memory, AsyncMemory):
        with pytest.raises(ValueError, match=said):
            cls(LongTermStore.in_memory(), **wrong)
