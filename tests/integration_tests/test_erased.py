"""A person who is erased is in no byte of any file and no row of any table that the package wrote."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from psycopg import sql
from pydantic import BaseModel

from langchain_mem import LongTermStore, Many, Memory
from langchain_mem._flow import run
from langchain_mem.background.waiting import Patience
from langchain_mem.checkpointers import InMemoryCheckpointer, PostgresCheckpointer, SqliteCheckpointer
from langchain_mem.errors import MemError
from langchain_mem.testing import FakeClock, FakeEmbeddings, ScriptedModel
from tests.memories import facts

PERSON = "xaverquux"
TOKEN = "zqxvkestrel"
OTHER = "bodil"


class Diet(BaseModel):
    """What somebody eats."""

    kind: str


class Trip(BaseModel):
    """A journey."""

    to: str


class Place(NamedTuple):
    """Where memories and threads lie, and how to see all that is there once both are closed."""

    open: Callable[[], contextlib.AbstractContextManager[tuple[BaseStore, Any]]]
    kept: Callable[[], bytes]


def _files(folder: Path) -> bytes:
    return b"\n".join(str(file).encode() + file.read_bytes() for file in folder.rglob("*") if file.is_file())


def _rows(dsn: str) -> bytes:
    """Every row of every table of the database, bytes as they are, and the tables' names."""
    told = []
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert len(tables) >= 8  # of the store and of the threads
        for schema, table in tables:
            rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table))).fetchall()
            told += [value if isinstance(value, bytes) else repr(value).encode() for row in rows for value in row]
    return b"\n".join(told)


@pytest.fixture(params=["chroma", "postgres", "langgraph-memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Place]:
    """Each kind of store with threads beside it."""
    embed = FakeEmbeddings()
    if request.param == "chroma":

        @contextlib.contextmanager
        def in_folder() -> Iterator[tuple[BaseStore, Any]]:
            with (
                LongTermStore.chroma(tmp_path / "memory", embed=embed, clock=clock) as store,
                SqliteCheckpointer.from_conn_string(str(tmp_path / "threads.db")) as saver,
            ):
                yield store, saver

        yield Place(in_folder, lambda: _files(tmp_path))
    elif request.param == "postgres":
        dsn = request.getfixturevalue("fresh_postgres_dsn")

        @contextlib.contextmanager
        def in_database() -> Iterator[tuple[BaseStore, Any]]:
            with (
                LongTermStore.postgres(dsn, embed=embed, clock=clock) as store,
                PostgresCheckpointer.from_conn_string(dsn) as saver,
            ):
                saver.setup()
                yield store, saver

        yield Place(in_database, lambda: _rows(dsn))
    else:
        store, saver = InMemoryStore(index={"dims": 64, "embed": embed}), InMemoryCheckpointer()

        def held() -> bytes:
            return repr([store.search((), limit=10_000), list(saver.list(None))]).encode()

        yield Place(lambda: contextlib.nullcontext((store, saver)), held)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def _model() -> ScriptedModel:
    """A model that keeps what the person says in its own words, whatever it is asked for."""
    return ScriptedModel(otherwise=lambda _: facts(f"Likes {TOKEN}"))


def _memory(store: BaseStore, clock: FakeClock, **config: Any) -> Memory:
    return Memory(store, clock=clock, keep_events=50, schemas=[Diet, Many(Trip)], log_text=True, **config)


def _talk(saver: Any, user: str) -> None:
    """A thread of the person's, in checkpoints."""
    graph = StateGraph(MessagesState)
    graph.add_node("say", lambda state: {"messages": [AIMessage(f"{TOKEN} it is")]})
    graph.add_edge(START, "say")
    config: Any = {"configurable": {"thread_id": f"thread of {user}", "user_id": user}}
    graph.compile(checkpointer=saver).invoke({"messages": [HumanMessage(f"I like {TOKEN}")]}, config)


def _live(memory: Memory, clock: FakeClock, user: str) -> None:
    """Every operation that keeps something, each with the person's word in all that it takes."""
    ids, marks = {"user_id": user}, {"metadata": {TOKEN: TOKEN}, "categories": [TOKEN]}
    model = _model()
    said = [HumanMessage(f"I like {TOKEN}", name=TOKEN), AIMessage(f"{TOKEN}, noted")]
    (first, *_) = memory.add(said, **ids, **marks, infer=False)["results"]
    memory.add(said, **ids, agent_id="bot", infer=False, source={"thread_id": f"{TOKEN}-1", "message_ids": [TOKEN]})
    memory.add(f"{TOKEN} in a session", **ids, run_id=f"run-{TOKEN}", infer=False)
    memory.add("Feeds the birds", **ids, infer=False, useful_for=[f"a walk with {TOKEN}"])
    memory.promote(run_id=f"run-{TOKEN}", metadata={"why": TOKEN}, **ids)
    memory.add(f"{TOKEN} for a while", **ids, run_id="s2", infer=False)
    memory.end_session("s2", **ids)
    clock.advance(minutes=1)
    memory.search(f"what about {TOKEN}?", **ids, filters={"metadata.note": TOKEN})
    memory.explain(f"why {TOKEN}?", **ids)
    memory.update(first["id"], f"Loves {TOKEN}", **ids, **marks)
    memory.feedback(first["id"], "NEGATIVE", f"{TOKEN} is wrong", **ids)
    batch = memory.batch_update([{"memory_id": first["id"], "text": f"Adores {TOKEN}"}], **ids)
    memory.undo(batch["batch_id"], **ids)
    (gone,) = memory.add(f"Hates {TOKEN}", **ids, infer=False)["results"]
    memory.delete(gone["id"], **ids)
    memory.restore(gone["id"], **ids)
    memory.delete(gone["id"], **ids)
    (old,) = memory.add(f"Had {TOKEN}", **ids, infer=False, expiration_date=clock.now + timedelta(days=1))["results"]
    memory.set_document(Diet(kind=TOKEN), **ids)
    memory.set_document(Diet(kind=f"more {TOKEN}"), **ids)
    memory.add_document(Trip(to=TOKEN), **ids, **marks)
    memory.import_([line.replace(old["id"], f"{old['id'][:-1]}0") for line in memory.export(**ids)])
    memory.close()
    learning = _memory(memory.store, clock, model=model)
    learning.add(said, **ids)
    learning.add(said, **ids, agent_id="bot", source={"thread_id": f"{TOKEN}-2", "message_ids": ["1", "2"]})
    learning.plan(said, **ids, source={"thread_id": f"{TOKEN}-3", "message_ids": ["3", "4"]})
    with contextlib.suppress(MemError):  # it answers as if facts were to be extracted
        learning.consolidate(**ids, dry_run=True)
    waiting = [{"role": "user", "content": f"wait for {TOKEN}", "id": TOKEN}]
    run(
        learning.operations.wait(
            waiting, message_ids=[TOKEN], thread_id="w", patience=Patience(after=timedelta(hours=1)), **ids
        )
    )
    run(learning.operations.note_thread(f"thread of {user}", **ids))
    learning.summary(**ids)
    learning.stats(**ids)
    learning.flush()
    clock.advance(days=2)
    learning.close()


def test_no_byte_and_no_row(place: Place, clock: FakeClock) -> None:
    """Memories, turns, history, sessions, documents, plans, events, what waits, threads: nothing is left of the person.

    Somebody else keeps everything.
    """
    with place.open() as (store, saver):
        _talk(saver, PERSON)
        _live(_memory(store, clock), clock, PERSON)
        with contextlib.closing(_memory(store, clock)) as memory:
            memory.add(["Likes figs", "Likes rye"], user_id=OTHER, agent_id="bot", infer=False)
    before = place.kept().lower()
    assert {word: word.encode() in before for word in (TOKEN, PERSON, OTHER)} == dict.fromkeys(
        (TOKEN, PERSON, OTHER), True
    )
    with place.open() as (store, saver), contextlib.closing(_memory(store, clock)) as memory:
        kept = memory.export(user_id=OTHER)
        assert memory.search(TOKEN, user_id=PERSON)["results"]
        assert f"thread of {PERSON}" in memory.erase(PERSON, checkpointer=saver)["threads"]
        assert memory.export(user_id=OTHER) == kept != []
        memory.compact()
    left = place.kept().lower()
    for word in (TOKEN, PERSON):
        at = left.find(word.encode())
        assert at < 0, left[max(0, at - 300) : at + 100]
