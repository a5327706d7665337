"""Memory's operations on every engine: our backends, and LangGraph's own stores, give the same answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel

from langchain_mem import Many
from langchain_mem._flow import run
from langchain_mem.background.waiting import Patience
from langchain_mem.errors import ScopeError, StoreError
from langchain_mem.memory.facade import Memory
from langchain_mem.model.instants import iso
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing import FakeClock, FakeEmbeddings, ScriptedModel
from tests.memories import Bench, against, events, facts, memory_id, op, texts, unalarmed

ENGINES = ("dictionary", "chroma", "postgres", "langgraph-memory", "langgraph-postgres")
ON_EVERY = {"test_a_memory_through_its_life", "test_learning", "test_erasing"}
"""What `make test` shows on LangGraph's Postgres store too. Ours reads it as it reads LangGraph's dictionary, so the
rest meets that one, and with `make soak` both."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        later = () if metafunc.function.__name__ in ON_EVERY else pytest.mark.soak
        params = [pytest.param(name, marks=later if name == "langgraph-postgres" else ()) for name in ENGINES]
        metafunc.parametrize("engine", params, indirect=True)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def _langgraph_postgres(dsn: str, embeddings: FakeEmbeddings) -> tuple[Any, BaseStore]:
    from langgraph.store.postgres import PostgresStore

    context = PostgresStore.from_conn_string(dsn, index={"dims": 64, "embed": embeddings})
    store = context.__enter__()
    store.setup()
    return context, store


@pytest.fixture
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[BaseStore, FakeClock]]:
    """An empty store of each engine, and the clock it goes by."""
    clock, embeddings = FakeClock(), FakeEmbeddings()
    if request.param == "dictionary":
        yield LongTermStore.in_memory(embed=embeddings, clock=clock), clock
    elif request.param == "chroma":
        with LongTermStore.chroma(tmp_path, embed=embeddings, clock=clock) as store:
            yield store, clock
    elif request.param == "postgres":
        dsn = request.getfixturevalue("postgres_dsn")
        schema = f"memory_{abs(hash(request.node.name)):x}"
        with LongTermStore.postgres(dsn, schema=schema, embed=embeddings, clock=clock) as store:
            yield store, clock
        with psycopg.connect(dsn, autocommit=True) as admin:
            admin.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
    elif request.param == "langgraph-memory":
        yield InMemoryStore(index={"dims": 64, "embed": embeddings}), clock
    else:
        dsn = request.getfixturevalue("postgres_dsn")
        context, store = _langgraph_postgres(dsn, embeddings)
        yield store, clock
        for namespace in store.list_namespaces(limit=10_000):
            for item in store.search(namespace, limit=10_000):
                store.delete(item.namespace, item.key)
        context.__exit__(None, None, None)


@pytest.fixture
def memory(engine: tuple[BaseStore, FakeClock]) -> Iterator[Bench]:
    store, clock = engine
    bench = Bench(store=store, clock=clock)
    yield bench
    bench.memory.close()


@pytest.fixture
def learning(engine: tuple[BaseStore, FakeClock]) -> Iterator[Callable[..., Bench]]:
    """Opens a memory with a model's replies."""
    opened: list[Bench] = []

    def open_memory(*replies: Any, **options: Any) -> Bench:
        opened.append(Bench(*replies, store=engine[0], clock=engine[1], **options))
        return opened[-1]

    yield open_memory
    for each in opened:
        each.memory.close()


AWKWARD = ["it's", '"', "%", "_", "\\", "🙂", "' OR 1=1 --", '{"$gt": ""}', "a.b", "ÄÖ"]
"""Values that are syntax somewhere, or that some engine cannot store as they are."""

SHELF: dict[str, dict[str, Any]] = {
    "n9": {"metadata": {"n": 9, "flag": 1, "c": "food"}, "categories": ["food"]},
    "n10": {"metadata": {"n": 10, "flag": True, "c": "work"}, "categories": ["food", "work"]},
    "big": {"metadata": {"n": 2**53 + 1, "flag": "true", "tags": ["a", "b"]}},
    "deep": {"metadata": {"o": {"x": 1, "y": 2}, "tags": ["b", "a"]}},
    "bare": {},
}

EVERY = set(SHELF)

TRUTH: list[tuple[dict[str, Any], set[str]]] = [
    ({"AND": [{"OR": [{"metadata.n": 9}, {"metadata.n": 10}]}]}, {"n9", "n10"}),
    ({"OR": [{"AND": [{"metadata.n": 9}, {"metadata.c": "food"}]}, {"metadata.n": 10}]}, {"n9", "n10"}),
    ({"AND": [{"NOT": [{"metadata.n": 9}]}, {"metadata.n": "*"}]}, {"n10", "big"}),
    ({"NOT": {"metadata.n": {"in": [9, 10]}}}, {"big", "deep", "bare"}),
    ({"NOT": [{"metadata.n": 9}, {"metadata.n": 10}]}, {"big", "deep", "bare"}),
    ({"AND": [{"metadata.c": "food"}, {"metadata.c": "work"}]}, set()),
    ({"user_id": "alex", "AND": [{"user_id": "bob"}]}, set()),
    ({"metadata": {"n": {"gt": 9}}}, {"n10", "big"}),
    ({"metadata.missing": {"gt": 1}}, set()),
    ({"metadata.missing": {"ne": 1}}, EVERY),
    ({"NOT": [{"metadata.missing": 1}]}, EVERY),
    ({"metadata.flag": True}, {"n10"}),
    ({"metadata.flag": 1}, {"n9"}),
    ({"metadata.n": 2**53 + 1}, {"big"}),
    ({"metadata.n": 2**53}, set()),
    ({"metadata.tags": {"eq": ["a", "b"]}}, {"big"}),
    ({"metadata.tags": {"contains": "a"}}, {"big", "deep"}),
    ({"metadata": {"o": {"x": 1}}}, {"deep"}),
    ({"metadata.o": {"eq": {"x": 1}}}, set()),
    ({"metadata.o.x": {"gte": 1}}, {"deep"}),
    ({"created_at": {"gte": "2026-01-01"}}, EVERY),
    ({"created_at": {"gt": "2026-01-01"}}, set()),
    ({"created_at": {"gte": "2026-01-20", "lte": "2026-01-10"}}, set()),
    ({"categories": {"contains": "food"}}, {"n9", "n10"}),
    ({"NOT": [{"categories": {"contains": "food"}}]}, {"big", "deep", "bare"}),
    ({"memory": {"icontains": "N1"}}, {"n10"}),
    ({"version": {"gte": 1}}, EVERY),
    ({"run_id": "*"}, set()),
    ({"expiration_date": None}, EVERY),
]


class TestFilters:
    def _fill(self, memory: Bench) -> None:
        for text, options in SHELF.items():
            memory.add(text, user_id="alex", **options)
        memory.add("of bob", user_id="bob", metadata={"n": 9, "c": "food"}, categories=["food"])

    def test_the_truth_table(self, memory: Bench) -> None:
        """Search, listing, export and deletion all take a filter for the same set, on every engine."""
        self._fill(memory)
        for filters, expected in TRUTH:
            where = {"user_id": "alex", "filters": filters}
            assert set(texts(memory.get_all(**where))) == expected, filters
            found = memory.search("food n9 n10 big deep bare", **where, threshold=0.0, top_k=50)
            assert set(texts(found)) == expected, filters
            lines = [json.loads(line)["memory"]["memory"] for line in memory.export(**where)]
            assert set(lines) == expected, filters
            gone = memory.delete_all(**where)
            assert gone["deleted"] == len(expected), filters
            if expected:
                memory.undo(gone["batch_id"])
        assert texts(memory.get_all(user_id="bob")) == ["of bob"]

    def test_owners_named_by_filters(self, memory: Bench) -> None:
        """Filters alone open the owners that each branch names, and refuse to open more."""
        self._fill(memory)
        memory.add("of the agent", agent_id="a")
        filters = {"OR": [{"user_id": "bob"}, {"agent_id": {"in": ["a", "b"]}}]}
        assert set(texts(memory.get_all(filters=filters))) == {"of bob", "of the agent"}
        with pytest.raises(ScopeError):
            memory.get_all(filters={"user_id": "*"})

    def test_values_are_never_syntax(self, memory: Bench) -> None:
        """Whatever a value holds, it is found by equality, and finds nothing else."""
        for number, value in enumerate(AWKWARD):
            memory.add(f"number {number}", user_id="alex", metadata={"v": value}, categories=[value])
        for number, value in enumerate(AWKWARD):
            for filters in ({"metadata.v": value}, {"categories": {"contains": value}}):
                assert texts(memory.get_all(user_id="alex", filters=filters)) == [f"number {number}"]

    def test_a_nul_is_data(self, memory: Bench) -> None:
        """A NUL is kept; LangGraph's PostgresStore cannot, and says so, and nothing of the batch is there."""
        if type(memory.memory.store).__name__ == "PostgresStore":
            with pytest.raises(StoreError, match="PostgresStore failed"):
                memory.add(["one", "a\x00b"], user_id="alex")
            assert memory.get_all(user_id="alex")["count"] == 0
        else:
            memory.add("a\x00b", user_id="alex", metadata={"v": "c\x00d"})
            assert texts(memory.get_all(user_id="alex", filters={"metadata.v": "c\x00d"})) == ["a\x00b"]

    def test_ids_are_never_syntax(self, memory: Bench) -> None:
        """Whatever an id holds, it is one owner."""
        owners = [
            "a_b",
            "axb",
            "a%",
            "a.b",
            "a",
            "alice@acme.io",
            "alice.smith@acme.io",
            "a/b",
            "🙂",
            "a\\b",
            "~2E",
            "*",
        ]
        for owner in owners:
            memory.add(f"of {owner}", user_id=owner)
        for owner in owners:
            assert texts(memory.get_all(user_id=owner)) == [f"of {owner}"]
        assert memory.users()["total_users"] == len(owners)


class TestOperations:
    def test_a_memory_through_its_life(self, memory: Bench) -> None:
        """Adding, finding, changing, deleting, restoring and undoing work on every engine."""
        added = memory.add("Drinks tea", user_id="alex", metadata={"a": 1})
        key = memory_id(added)
        assert events(memory.add("drinks  TEA", user_id="alex")) == ["NONE"]
        assert texts(memory.search("tea", user_id="alex")) == ["Drinks tea"]
        memory.clock.advance(hours=1)
        memory.update(key, "Drinks coffee", metadata={"b": 2})
        assert texts(memory.search("coffee", user_id="alex")) == ["Drinks coffee"]
        assert memory.search("tea", user_id="alex")["results"] == []
        memory.delete(key)
        assert memory.get(key) is None
        assert memory.restore(key)["metadata"] == {"a": 1, "b": 2}
        assert [each["event"] for each in memory.history(key)] == ["ADD", "UPDATE", "DELETE", "RESTORE"]
        gone = memory.delete_all(user_id="alex")
        memory.undo(gone["batch_id"])
        assert memory.get_all(user_id="alex")["count"] == 1
        assert texts(memory.search("tea", user_id="alex", as_of="2026-01-01T00:30:00Z")) == ["Drinks tea"]

    def test_scopes(self, memory: Bench) -> None:
        """Owners, sessions and layers are apart on every engine."""
        memory.add("tea at home", user_id="alex")
        memory.add("tea on the trip", user_id="alex", run_id="trip.1")
        memory.add("tea at work", user_id="alex", run_id="work")
        memory.add("tea of all", org_id="acme")
        memory.add("tea of the run", run_id="trip.1")
        seen = memory.search("tea", user_id="alex", run_id="trip.1", org_id="acme")["results"]
        assert [each["layer"] for each in seen] == ["user", "session", "session", "org"]
        assert set(texts(memory.get_all(run_id="trip.1"))) == {"tea on the trip", "tea of the run"}
        memory.promote(run_id="trip.1", user_id="alex")
        memory.clock.advance(days=2)
        assert set(texts(memory.get_all(user_id="alex"))) == {"tea at home", "tea on the trip", "tea of the run"}

    def test_learning(self, learning: Callable[..., Bench]) -> None:
        """Facts are extracted, superseded and deleted with the turns they rest on, on every engine."""
        memory = learning(
            facts("Lives in Berlin"),
            against(op("supersede", "Lives in Paris", memory="Lives in Berlin")),
            against(op("delete", memory="Lives in Paris")),
        )
        source = {"thread_id": "t", "message_ids": ["1"], "checkpoint_id": "1"}
        first = memory.add("I live in Berlin", user_id="alex", source=source)
        assert memory.add("I live in Berlin", user_id="alex", source=source) == first
        memory.clock.advance(days=1)
        memory.add("I live in Paris", user_id="alex", source={**source, "message_ids": ["2"], "checkpoint_id": "2"})
        found = memory.search("live in Paris Berlin", user_id="alex", history=True, threshold=0.0)
        assert texts(found) == ["Lives in Paris", "I live in Paris"]
        gone = memory.add("Forget where I live", user_id="alex")
        assert events(gone) == ["DELETE"]
        assert memory.search("live in Paris", user_id="alex", history=True, threshold=0.0)["results"] == []
        memory.undo(gone["batch_id"])
        memory.undo(thread_id="t", after_checkpoint="1")
        assert texts(memory.get_all(user_id="alex")) == ["Lives in Berlin"]
        assert memory.pending(["1", "2", "3"], "t", user_id="alex") == ["2", "3"]

    def test_documents(self, learning: Callable[..., Bench]) -> None:
        """Typed documents are patched on every engine."""

        class Profile(BaseModel):
            name: str | None = None
            diet: str | None = None

        memory = learning({"documents": {"Profile": {"name": "Alex"}}}, schemas=[Profile])
        memory.set_document(Profile(diet="vegan"), user_id="alex")
        memory.add("I'm Alex", user_id="alex")
        assert memory.get_document(Profile, user_id="alex") == Profile(name="Alex", diet="vegan")

    def test_collections(self, learning: Callable[..., Bench]) -> None:
        """Many documents of a kind are added, found by their fields, patched, replaced, removed and undone."""

        class Task(BaseModel):
            title: str
            status: str = "open"
            days: int = 1

        def doc(action: str, memory: int | None = None, **document: Any) -> dict[str, Any]:
            return op(action, kind="Task", memory=memory, document=document or None)

        first = {"operations": [doc("add", title="Buy milk"), doc("add", title="Call Mia"), doc("add", title="Sow")]}
        then = [doc("update", 0, status="done"), doc("supersede", 1, title="Visit Mia"), doc("delete", 2)]
        memory = learning(first, {"operations": then}, schemas=[Many(Task, own_words=["status"])])
        memory.add("I must buy milk, call Mia and sow", user_id="alex")
        assert set(texts(memory.search("Mia", user_id="alex", kind=Task, threshold=0, top_k=9))) == {
            "Task. title: Buy milk; status: open; days: 1",
            "Task. title: Call Mia; status: open; days: 1",
            "Task. title: Sow; status: open; days: 1",
        }
        memory.clock.advance(days=1)
        changed = memory.add("Done with one, I visit Mia, and forget the other", user_id="alex")
        assert changed.get("rejected") is None
        tasks = memory.get_documents(Task, user_id="alex")
        assert (len(tasks), "Visit Mia" in [task.title for task in tasks.values()]) == (2, True)
        (done,) = memory.get_documents(Task, user_id="alex", filters={"document": {"status": "done"}})
        memory.update_document(done, {"days": 3})
        wide = {"AND": [{"kind": "Task"}, {"document.days": {"gte": 2}}]}
        assert [each["id"] for each in memory.get_all(user_id="alex", filters=wide)["results"]] == [done]
        memory.undo(changed["batch_id"], user_id="alex")
        left = [each.title for each in memory.get_documents(Task, user_id="alex").values()]
        assert {"Call Mia", "Visit Mia"} & {*left} == {"Call Mia"}
        same = learning(schemas=[Many(Task, identity=["title"])])
        same.add_document([Task(title="Rest"), Task(title="Rest", days=2)], user_id="bob")
        same.add_document(Task(title="Rest", days=3), user_id="bob")
        assert [each.days for each in same.get_documents(Task, user_id="bob").values()] == [3]

    def test_instructions(self, learning: Callable[..., Bench]) -> None:
        """Instructions are kept, improved, undone and exported, and no search finds them, on every engine."""
        line = {"action": "add", "text": "Give a hint first.", "because": [0]}
        memory = learning({"edits": [line]})
        key = memory.instruct("You are a tutor.", agent_id="tutor.1")["id"]
        talk = [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]
        done = memory.improve_instructions([{"messages": talk, "feedback": "too direct"}], agent_id="tutor.1")
        assert memory.instructions(agent_id="tutor.1") == "You are a tutor.\nGive a hint first."
        assert memory.search("tutor", agent_id="tutor.1", threshold=0)["results"] == []
        assert [each["version"] for each in memory.history(key, agent_id="tutor.1")] == [1, 2]
        assert len(list(memory.export(agent_id="tutor.1"))) == 1
        memory.undo(done["batch_id"], agent_id="tutor.1")
        assert memory.instructions(agent_id="tutor.1") == "You are a tutor."
        assert [each["name"] for each in memory.list_instructions(agent_id="tutor.1")] == ["system"]

    def test_uses(self, memory: Bench) -> None:
        """Uses are counted and decay follows them on every engine; writes lose none."""
        key = memory_id(memory.add("Drinks tea", user_id="alex"))
        memory.clock.advance(days=100)
        memory.search("tea", user_id="alex")
        memory.flush()
        memory.update(key, metadata={"a": 1})
        (found,) = memory.explain("tea", user_id="alex")["results"]
        assert (found["score_details"]["touches"], found["score_details"]["factor"]) == (2, 1.5)

    def test_expiry_and_purging(self, memory: Bench) -> None:
        """What expires is hidden to the microsecond; what is purged is nowhere in the store."""
        until = memory.clock.now + timedelta(hours=1)
        key = memory_id(memory.add("Temporary", user_id="alex", expiration_date=until))
        memory.delete(memory_id(memory.add("Deleted", user_id="alex")))
        memory.clock.now = until - timedelta(microseconds=1)
        assert memory.get_all(user_id="alex")["count"] == 1
        memory.clock.now = until
        assert memory.get_all(user_id="alex")["count"] == 0
        assert memory.get(key) is not None
        assert memory.purge_expired(user_id="alex") == 2
        memory.flush()
        left = json.dumps([item.value for item in memory.memory.store.search((), limit=10_000)])
        assert "Temporary" not in left
        assert "Deleted" not in left

    def test_purging_by_itself(self, engine: tuple[BaseStore, FakeClock]) -> None:
        """After the grace period later writes remove what is gone."""
        store, clock = engine
        memory = Bench(store=store, clock=clock, purge_after=timedelta(days=1))
        memory.delete(memory_id(memory.add("Deleted", user_id="alex")))
        memory.add("Stays", user_id="alex")
        clock.advance(days=3)
        memory.get_all(user_id="alex")
        memory.add("Another", user_id="alex")
        clock.advance(minutes=5)
        memory.add("And another", user_id="alex")
        clock.now -= timedelta(days=4)
        found = store.search(("memories",), limit=100)
        assert not [item for item in found if item.value["memory"] == "Deleted"]

    def test_erasing(self, memory: Bench) -> None:
        """A person is gone from every root, and others are not."""
        for user in ("alex", "alex_b"):
            key = memory_id(memory.add("Drinks marmalade", user_id=user, source={"thread_id": "t"}))
            memory.update(key, "Eats marmalade")
            memory.search("marmalade", user_id=user)
        memory.flush()
        memory.erase("alex")
        left = memory.memory.store.search((), limit=1000)
        assert {item.namespace[2] for item in left} == {"alex~5Fb"}
        assert memory.get_all(user_id="alex_b")["count"] == 1

    def test_a_round_trip(self, memory: Bench) -> None:
        """What is exported here is the same in memory there."""
        key = memory_id(memory.add("Drinks tea 🙂", user_id="alex", metadata={"a": [1, {"b": None}], "big": 2**53 + 1}))
        memory.update(key, "Drinks coffee 🙂")
        memory.add("A note", user_id="alex", run_id="r")
        lines = list(memory.export(user_id="alex"))
        other = Bench(clock=memory.clock)
        other.import_(lines)
        assert other.get_all(user_id="alex") == memory.get_all(user_id="alex")
        assert other.history(key) == memory.history(key)
        assert list(other.export(user_id="alex")) == lines

    def test_pages(self, memory: Bench) -> None:
        """Pages part a listing into the same pieces on every engine."""
        for number in range(5):
            memory.add(f"Fact {number}", user_id="alex")
            memory.clock.advance(minutes=1)
        pages = [texts(memory.get_all(user_id="alex", page=page, page_size=2)) for page in (1, 2, 3)]
        assert pages == [["Fact 4", "Fact 3"], ["Fact 2", "Fact 1"], ["Fact 0"]]

    def test_eight_at_once(self, memory: Bench) -> None:
        """Eight threads that add the same store it once."""
        with ThreadPoolExecutor(8) as threads:
            done = list(threads.map(lambda _: memory.memory.add("Drinks tea", user_id="alex"), range(8)))
        assert sorted(event for each in done for event in events(each)) == ["ADD"] + ["NONE"] * 7
        assert memory.get_all(user_id="alex")["count"] == 1


def test_the_async_form(engine: tuple[BaseStore, FakeClock], runner: asyncio.Runner) -> None:
    """The coroutines do the same on every engine that has them."""
    store, clock = engine
    if type(store).__name__ == "PostgresStore":
        pytest.skip("LangGraph's PostgresStore has no async form; its AsyncPostgresStore has no sync one")
    memory = Bench(store=store, clock=clock, form="async", runner=runner)
    key = memory_id(memory.add("Drinks tea", user_id="alex", metadata={"n": 9}))
    assert texts(memory.search("tea", user_id="alex", filters={"metadata.n": {"lt": 10}})) == ["Drinks tea"]
    memory.update(key, "Drinks coffee")
    memory.delete(key)
    memory.restore(key)
    assert len(memory.history(key)) == 4
    assert memory.delete_all(user_id="alex", filters={"metadata.n": 9})["deleted"] == 1
    assert memory.erase("alex")["erased"] > 0
    runner.run(memory.memory.aclose())


def test_what_an_inspector_asks(engine: tuple[BaseStore, FakeClock]):
    """Owners, uses, endings, latest changes and growth are the same on every engine, deletions among them."""
    store, clock = engine
    memory = Bench(store=store, clock=clock, all_owners=True).memory
    look = memory.operations
    tea = memory.add("Likes tea", user_id="alex", categories=["food"])["results"][0]["id"]
    memory.add("Parks in row B", user_id="alex", expiration_date=timedelta(days=2))
    clock.advance(days=1)
    memory.search("tea", user_id="alex", top_k=1)
    memory.flush()
    memory.delete(memory.add("Plays chess", user_id="bob")["results"][0]["id"])
    census = {owner["id"]: (owner["live"], owner["deleted"]) for owner in run(look.census())}
    assert census == {"alex": (2, 0), "bob": (0, 1)}
    assert len(run(look.look_at(tea))["sight"]["uses"]) == 2
    assert [s["memory"]["memory"] for s in run(look.ending(timedelta(days=7)))] == ["Parks in row B"]
    assert [s["state"] for s in run(look.look(states=("deleted",)))["results"]] == ["deleted"]
    assert [s["memory"]["id"] for s in run(look.look(user_id="alex", categories=["food"]))["results"]] == [tea]
    latest = [(one["change"]["event"], one["owner"]) for one in run(look.latest(limit=2))]
    assert latest == [("DELETE", {"user_id": "bob"}), ("ADD", {"user_id": "bob"})]
    assert len(run(look.latest(since=iso(clock())))) == 2
    today = run(look.growth())[-1]
    assert (today["added"], today["removed"], today["live"], today["used"]) == (1, 1, 2, 2)


def test_events_are_kept(engine: tuple[BaseStore, FakeClock]):
    """On every engine another memory finds them, in order, about as many as were asked for; erasing removes them."""
    store, clock = engine
    first = Bench(store=store, clock=clock, keep_events=10).memory
    for number in range(15):
        clock.advance(minutes=1)
        first.search(f"Question {number}", user_id="alex")
        first.flush()
    first.close()
    later = Bench(store=store, clock=clock, keep_events=10).memory
    kept = later.events(user_id="alex")
    assert 10 <= len(kept) <= 11
    assert [event["created_at"] for event in kept] == sorted((event["created_at"] for event in kept), reverse=True)
    assert kept[0]["details"] == {"query_chars": len("Question 14"), "results": 0}
    later.erase("alex")
    assert later.events(user_id="alex") == []


def test_messages_wait_on_every_engine(engine: tuple[BaseStore, FakeClock], runner: asyncio.Runner):
    """What waits is extended, read once with what is said in the meantime left over, and erased with its owner."""
    store, clock = engine
    patience = Patience(after=timedelta(minutes=5))

    def wait(*said: str, user_id: str = "alex") -> None:
        messages = [{"role": "user", "content": text, "id": text} for text in said]
        ids = [message["id"] for message in messages]
        run(memory.operations.wait(messages, message_ids=ids, thread_id="1", patience=patience, user_id=user_id))

    model = ScriptedModel(lambda _: wait("one", "two", "three") or facts("Counts to two"), facts("Counts to three"))
    memory = Memory(store, model=model, clock=clock)
    wait("one")
    wait("one", "two")
    wait("four", user_id="bob")
    memory.erase("bob")
    unalarmed(memory)
    clock.advance(minutes=5)
    assert memory.extract_waiting(user_id="alex") == {"extracted": 2, "failed": 0, "waiting": 1}
    unalarmed(memory)
    clock.advance(minutes=5)
    assert runner.run(memory.aextract_waiting()) == {"extracted": 1, "failed": 0, "waiting": 0}
    assert sorted(texts(memory.get_all(user_id="alex"))) == ["Counts to three", "Counts to two"]
    memory.close()


def test_consolidation_on_every_engine(engine: tuple[BaseStore, FakeClock]):
    """What is merged, retired and said of it lands, loses at once what is deleted, and is taken back whole."""
    store, clock = engine
    tidy = {"action": "merge", "memories": [1, 2], "text": "Has a dog named Rex who likes snow"}
    away = {"action": "retire", "memory": 0, "by": 3}
    said = {"action": "say", "text": "Lives in Paris.", "memories": [0]}
    model = ScriptedModel({"operations": [tidy, away]}, lambda call: {"operations": [_about_paris(said, call)]})
    memory = Memory(store, model=model, clock=clock)
    before = ["Lives in Berlin", "Has a dog named Rex", "Rex the dog likes snow", "Lives in Paris since May"]
    for text in before:
        memory.add(text, user_id="alex", infer=False)
        clock.advance(days=1)
    done = memory.consolidate(user_id="alex")
    assert (done["before"], done["after"], done["rejected"]) == (4, 2, [])
    (paris,) = [one for one in memory.get_all(user_id="alex")["results"] if one["memory"].endswith("May")]
    memory.delete(paris["id"])
    assert memory.get(done["profile"]["id"]) is None
    memory.restore(paris["id"])
    memory.undo(done["batch_id"])
    assert sorted(texts(memory.get_all(user_id="alex"))) == sorted(before)
    memory.close()


def _about_paris(said: dict[str, Any], call: list[Any]) -> dict[str, Any]:
    """A sentence that rests on the memory of Paris, by its number in the prompt."""
    (line,) = [line for line in call[1].text.splitlines() if "Paris" in line]
    return {**said, "memories": [int(line[1 : line.index("]")])]}


def test_a_memory_is_found_by_its_phrases_on_every_engine(memory: Bench):
    """The request shares no word with the memory. Another `Memory` finds it, too."""
    for number in range(12):
        memory.add(f"Grows plant number {number}", user_id="alex", infer=False)
    added = memory.add("Keeps the weekend free", user_id="alex", infer=False, useful_for=["slides due on saturday"])
    for each in (memory, Bench(store=memory.memory.store, clock=memory.clock)):
        (best,) = each.search("slides for saturday", user_id="alex", threshold=0.0, top_k=1)["results"]
        assert (best["memory"], best["useful_for"]) == ("Keeps the weekend free", ["slides due on saturday"])
    memory.update(memory_id(added), useful_for=None, user_id="alex")
    (best,) = memory.search("slides for saturday", user_id="alex", threshold=0.0, top_k=1)["results"]
    assert best["memory"] != "Keeps the weekend free"
