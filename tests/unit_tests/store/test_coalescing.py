"""What one tick of an event loop asks of a store is one batch."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from langchain_mem import LongTermStore
from langchain_mem.errors import InvalidRequest
from langchain_mem.testing import FakeEmbeddings


class Counted(FakeEmbeddings):
    """Counts the calls that embed documents."""

    calls = 0

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text."""
        self.calls += 1
        return self.embed_documents(texts)


@pytest.fixture
def store() -> LongTermStore:
    """A store that embeds what it is given."""
    return LongTermStore.in_memory(embed=Counted())


def counted(store: LongTermStore, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often each method of the backend is called from now on."""
    calls: dict[str, int] = {}

    def counting(name: str) -> Any:
        method = getattr(store.items.backend, name)

        async def call(*args: Any) -> Any:
            calls[name] = calls.get(name, 0) + 1
            return await method(*args)

        return call

    for name in ("get", "write", "search", "namespaces"):
        monkeypatch.setattr(store.items.backend, name, counting(name))
    return calls


async def test_puts_of_a_tick_are_one_write_and_one_embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred puts that are awaited together."""
    store = LongTermStore.in_memory(embed=(embedder := Counted()))
    await store.asetup()
    calls = counted(store, monkeypatch)
    await asyncio.gather(*(store.aput(("a",), str(n), {"text": f"fact {n}"}) for n in range(100)))
    assert calls == {"get": 1, "write": 1}
    assert embedder.calls == 1
    assert len(await store.asearch(("a",), limit=200)) == 100


async def test_four_thousand_operations(store: LongTermStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts, gets, searches and listings asked for at once take as many calls as there are different questions."""
    await store.asetup()
    calls = counted(store, monkeypatch)
    asked: list[Any] = []
    for n in range(1_000):
        asked.append(store.aput(("test", "foo", str(n % 3)), f"key{n}", {"foo": f"bar{n}"}, index=False))
        asked.append(store.aget(("test", "foo", str(n % 3)), f"key{n}"))
        asked.append(store.asearch(("test",), limit=5))
        asked.append(store.alist_namespaces(max_depth=1 + n % 3))
    await asyncio.gather(*asked)
    assert calls["write"] == 1
    assert calls["search"] == 1
    assert calls["namespaces"] == 3
    assert calls["get"] <= 2  # what the gets ask for, and what the puts replace
    assert store.count(("test",)) == 1_000


async def test_one_that_cannot_be_fails_alone(store: LongTermStore) -> None:
    """Its neighbors of the same tick are done, and it gets its own error."""
    good, bad, other = await asyncio.gather(
        store.aput(("a",), "1", {"text": "x"}),
        store.aput(("a",), "2", {"text": object()}),
        store.aput(("a",), "3", {"text": "y"}),
        return_exceptions=True,
    )
    assert (good, other) == (None, None)
    assert isinstance(bad, InvalidRequest)
    assert [item.key for item in await store.asearch(("a",))] in (["1", "3"], ["3", "1"])


async def test_two_who_ask_the_same_have_answers_of_their_own(store: LongTermStore) -> None:
    """What one does to its result the other does not see."""
    await store.aput(("a",), "1", {"tags": ["x"]})
    one, other = await asyncio.gather(store.aget(("a",), "1"), store.aget(("a",), "1"))
    assert one is not None
    assert other is not None
    one.value["tags"].append("y")
    assert other.value == {"tags": ["x"]}


async def test_one_who_is_canceled_takes_nobody_along(store: LongTermStore) -> None:
    """The other of the same tick gets its answer."""
    await store.aput(("a",), "1", {"text": "x"})
    gone, here = (asyncio.ensure_future(store.aget(("a",), "1")) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    found = await here
    assert found is not None
