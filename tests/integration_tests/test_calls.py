"""However many memories an operation touches, each engine is asked a fixed number of times."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore

from langchain_mem import LongTermStore, Memory
from langchain_mem.backends.chroma.buffered import BufferedCollection
from langchain_mem.backends.postgres.pools import Session
from langchain_mem.testing import FakeEmbeddings
from tests.unit_tests.memory.test_calls import adding, adding_again, deleting, importing, searching, updating

ASKED: dict[str, tuple[Any, tuple[str, ...]]] = {
    "chroma": (BufferedCollection, ("read", "find", "ids", "nearest", "upsert", "update", "delete")),
    "postgres": (Session, ("_send",)),
    "InMemoryStore": (InMemoryStore, ("batch",)),
}
"""What asks each engine: a call of a collection's, a round trip to Postgres, a batch of any store's."""


@pytest.fixture(scope="module", params=ASKED)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Memory]]:
    """A memory on one engine."""
    if request.param == "chroma":
        store: Any = LongTermStore.chroma(tmp_path_factory.mktemp("calls"), embed=FakeEmbeddings())
    elif request.param == "postgres":
        dsn, schema = request.getfixturevalue("postgres_dsn"), f"calls_{uuid.uuid4().hex[:12]}"
        store = LongTermStore.postgres(dsn, schema=schema, embed=FakeEmbeddings())
    else:
        store = InMemoryStore(index={"dims": 64, "embed": FakeEmbeddings()})
    with Memory(store, reinforce="none") as memory:  # uses are written by a thread of their own
        yield request.param, memory
    if isinstance(store, LongTermStore):
        store.close()


@contextmanager
def counted(engine: str) -> Iterator[list[str]]:
    """The calls to an engine."""
    asks, names = ASKED[engine]
    calls: list[str] = []
    asking = threading.current_thread()

    def counting(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            if threading.current_thread() is asking:  # what is done in the background keeps no caller waiting
                calls.append(name)
            return method(self, *args, **kwargs)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setattr(asks, name, counting(name, getattr(asks, name)))
        yield calls


@pytest.mark.parametrize("doing", [adding, adding_again, importing, updating, deleting, searching])
def test_sixty_take_as_many_calls_as_two(
    engine: tuple[str, Memory], doing: Callable[[int], Callable[[Memory], Any]]
) -> None:
    """The calls to the engine do not follow how many memories an operation is about."""
    name, memory = engine
    counts = []
    for size in (2, 60):
        memory.reset()
        memory.add("Anything", user_id="alex", infer=False)
        memory.search("Anything", user_id="alex")
        step = doing(size)
        with counted(name) as calls:
            step(memory)
        memory.flush()
        counts.append(sorted(calls))
    assert counts[0] == counts[1]


def test_a_search_of_an_owner_who_is_held_asks_chroma_nothing(tmp_path: Path) -> None:
    """What a search returns comes from the owner's index, also after a restart, and what was written is in it."""
    for opened in range(2):
        with LongTermStore.chroma(tmp_path, embed=FakeEmbeddings()) as store, Memory(store, reinforce="none") as memory:
            if not opened:
                memory.add([f"Fact number {n}" for n in range(1_100)], user_id="alex", infer=False)
            memory.search("Fact number 1", user_id="alex")
            (known,) = memory.search("Fact number 7", user_id="alex", top_k=1)["results"]
            memory.update(known["id"], f"Fact number 7 is {opened}")
            with counted("chroma") as calls:
                found = [memory.search("Fact number 7", user_id="alex", decay=decay) for decay in (True, False)]
            assert not calls
            assert {each["results"][0]["memory"] for each in found} == {f"Fact number 7 is {opened}"}


def test_an_add_for_an_owner_who_is_not_held_reads_no_other_memories(tmp_path: Path) -> None:
    """It looks for what says the same and for what has the id, however much the owner has, and finds what moved."""
    with LongTermStore.chroma(tmp_path, embed=FakeEmbeddings()) as store, Memory(store, reinforce="none") as memory:
        memory.add([f"Fact number {n}" for n in range(60)], user_id="alex", infer=False)
        (moved,) = memory.search("Fact number 7", user_id="alex", top_k=1)["results"]
        memory.update(moved["id"], "What moved")
    with LongTermStore.chroma(tmp_path, embed=FakeEmbeddings()) as store, Memory(store, reinforce="none") as memory:
        memory.add("Anything", user_id="sam", infer=False)
        with counted("chroma") as calls:
            (new,) = memory.add("New", user_id="alex", infer=False)["results"]
            same = [memory.add(text, user_id="alex", infer=False)["results"] for text in ("What moved", "New")]
        assert "find" not in calls
        assert new["event"] == "ADD"
        assert [[(each["event"], each["id"]) for each in one] for one in same] == [
            [("NONE", moved["id"])],
            [("NONE", new["id"])],
        ]


def test_a_search_of_an_owner_who_is_held_asks_postgres_once(postgres_dsn: str) -> None:
    """It asks what was written since, in one round trip, and returns what the index holds."""
    dsn, schema = postgres_dsn, f"calls_{uuid.uuid4().hex[:12]}"
    with LongTermStore.postgres(dsn, schema=schema, embed=FakeEmbeddings()) as store:
        memory = Memory(store, reinforce="none")
        memory.add([f"Fact number {n}" for n in range(30)], user_id="alex", infer=False)
        memory.search("Fact number 1", user_id="alex")
        (known,) = memory.search("Fact number 7", user_id="alex", top_k=1)["results"]
        memory.update(known["id"], "Fact number 7 is new")
        with counted("postgres") as calls:
            found = [memory.search("Fact number 7", user_id="alex", decay=decay) for decay in (True, False)]
        assert len(calls) == 2
        assert {each["results"][0]["memory"] for each in found} == {"Fact number 7 is new"}
