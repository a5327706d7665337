"""Eighty ids that a store or a language could take for something else: each is one owner, in everything there is."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel

from langchain_mem import LongTermStore, Memory
from langchain_mem._flow import run
from langchain_mem.background.waiting import Patience
from langchain_mem.errors import NotFound
from langchain_mem.testing import FakeClock, FakeEmbeddings, ScriptedModel
from tests.memories import facts

TRICKY = (
    "a", "A", "\xe1", "a\u0301", "aa", "a_", "a_b", "axb", "a%", "a%b", "%", "_", "a.b", "a.", ".a", "..", ".",
    "a..b", "a/b", "a\\b", "/", "\\", "../a", "a//b", "*", "a*", "?", "a?", "[a]", "{a}", "(a)", "a|b", "^a", "a$",
    "$a", "$ne", "$or", "~", "~2E", "a~b", "'", "a'b", "\"", "a\"b", "`", "a;b", "a--", "'; DROP TABLE items; --",
    "a b", " a", "a ", "a\tb", "a\nb", "a\rb", "\xa0", "\u200b", "\u202ea", "\uff41", "\u0130", "i", "\xdf", "ss",
    "\U0001f642", "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\u65e5\u672c", "\u0639\u0631\u0628\u064a", "0",
    "00", "1e0", "-1", "null", "None", "true", "undefined", "NaN", "alice@acme.io", "alice.smith@acme.io",
    "user:alex", "alex,bo", "x" * 200,
)  # fmt: skip


ENGINES = ("dictionary", "chroma", "postgres", "row security", "langgraph-memory")
LATER = ("chroma over http", "langgraph-postgres")
ALL_EIGHTY = ENGINES[:3]  # where each kind of statement is made; a few ids meet the other engines below


def _engines(*now: str) -> pytest.MarkDecorator:
    """Has a test meet these engines, and all the others in the soak."""
    marks = {name: () if name in now else pytest.mark.soak for name in (*ENGINES, *LATER)}
    params = [pytest.param(name, marks=mark) for name, mark in marks.items()]
    return pytest.mark.parametrize("memory", params, indirect=True)


@pytest.fixture
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Memory]:
    """A memory over each engine."""
    clock, embed = FakeClock(), FakeEmbeddings()
    store: BaseStore
    if request.param == "dictionary":
        yield Memory(LongTermStore.in_memory(embed=embed, clock=clock), clock=clock)
    elif request.param == "chroma":
        with LongTermStore.chroma(tmp_path, embed=embed, clock=clock) as store:
            yield Memory(store, clock=clock)
    elif request.param == "langgraph-memory":
        yield Memory(InMemoryStore(index={"dims": 64, "embed": embed}), clock=clock)
    elif request.param == "langgraph-postgres":
        from langgraph.store.postgres import PostgresStore

        dsn = request.getfixturevalue("fresh_postgres_dsn")
        with PostgresStore.from_conn_string(dsn, index={"dims": 64, "embed": embed}) as store:
            store.setup()
            yield Memory(store, clock=clock)
    elif request.param == "chroma over http":
        client = request.getfixturevalue("chroma_client")
        name = f"tenants-{uuid.uuid4().hex}"
        with LongTermStore.chroma(client=client, collection=name, embed=embed, clock=clock) as store:
            yield Memory(store, clock=clock)
    else:
        dsn = request.getfixturevalue("fresh_postgres_dsn")
        yield from _on_postgres(dsn, clock, embed, apart=request.param == "row security")


def _on_postgres(dsn: str, clock: FakeClock, embed: FakeEmbeddings, *, apart: bool) -> Iterator[Memory]:
    from psycopg.conninfo import make_conninfo

    from langchain_mem.backends.postgres.row_security import grants

    with LongTermStore.postgres(dsn, embed=embed, clock=clock, row_security=apart) as store:
        store.setup()
    if not apart:
        with LongTermStore.postgres(dsn, embed=embed, clock=clock) as store:
            yield Memory(store, clock=clock)
        return
    with psycopg.connect(dsn, autocommit=True) as admin:
        role = "tenant_app"
        admin.execute(f"DROP ROLE IF EXISTS {role}")
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'app'")
        admin.execute(grants(role))
        app = make_conninfo(dsn, user=role, password="app")
        with LongTermStore.postgres(app, embed=embed, clock=clock, row_security=True) as store:
            yield Memory(store, clock=clock)
        admin.execute(f"DROP OWNED BY {role}")
        admin.execute(f"DROP ROLE {role}")


def _marks(told: Any) -> set[str]:
    """The owners whose facts are in something: each fact has a mark of its own."""
    text = json.dumps(told, default=str)
    return {f"mark{n}x" for n in range(len(TRICKY)) if f"mark{n}x" in text}


def _refuses(memory: Memory, memory_id: str, owner: str) -> None:
    """Another owner's memory cannot be changed, rated, restored or deleted."""
    with pytest.raises(NotFound):
        memory.update(memory_id, "Likes theft", user_id=owner)
    with pytest.raises(NotFound):
        memory.feedback(memory_id, "NEGATIVE", user_id=owner)
    with pytest.raises(NotFound):
        memory.restore(memory_id, user_id=owner)
    with pytest.raises(NotFound):
        memory.delete(memory_id, user_id=owner)


def test_there_are_eighty_and_all_differ() -> None:
    """No two ids of the set are one text."""
    assert len(set(TRICKY)) == len(TRICKY) == 80


@_engines(*ALL_EIGHTY)
def test_owners_are_apart(memory: Memory, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever an id holds, search, lists, history, export, events, logs, changes, deletion and erasure are its own."""
    facts = {}
    for n, owner in enumerate(TRICKY):
        (added,) = memory.add(f"Likes mark{n}x tea", user_id=owner)["results"]
        facts[owner] = added["id"]
    for n, owner in enumerate(TRICKY):
        mine = {f"mark{n}x"}
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "langchain_mem"):
            told = [
                memory.search("tea", user_id=owner, top_k=100),
                memory.get_all(user_id=owner),
                memory.export(user_id=owner),
                memory.history(facts[owner], user_id=owner),
                memory.events(user_id=owner, types={"add", "search"}),
            ]
        assert [_marks(each) for each in told] == [mine] * len(told)
        assert _marks([record.getMessage() for record in caplog.records]) <= mine
        other = facts[TRICKY[n - 1]]
        assert memory.get(other, user_id=owner) is None
        if n % 10 == 0:
            _refuses(memory, other, owner)
    for n, owner in enumerate(TRICKY[:40]):
        memory.delete_all(user_id=owner) if n % 2 else memory.erase(user_id=owner)
    for n, owner in enumerate(TRICKY):
        assert _marks(memory.get_all(user_id=owner)) == (set() if n < 40 else {f"mark{n}x"})


class Diet(BaseModel):
    """What somebody eats."""

    kind: str


def _remember(memory: Memory, owner: str, mark: str) -> dict[str, Any]:
    """What the operations beside adding and searching tell one owner, each of whose texts has the owner's mark."""
    ids = {"user_id": owner}
    memory.add(f"Compares {mark} trains", **ids, run_id="s", infer=False)
    ended = memory.end_session("s", **ids)
    memory.add(f"Books {mark} hotels", **ids, run_id="t", infer=False)
    promoted = memory.promote(run_id="t", **ids)
    (first, *_) = memory.get_all(**ids)["results"]
    batch = memory.batch_update([{"memory_id": first["id"], "text": f"Loves {mark}"}], **ids)
    undone = memory.undo(batch["batch_id"], **ids)
    source = {"thread_id": "one thread", "message_ids": ["m"]}
    plan = memory.plan(f"I like {mark} jam", **ids, source=source)
    memory.set_document(Diet(kind=mark), **ids)
    said = [{"role": "user", "content": f"wait for {mark}", "id": "w"}]
    patience = Patience(after=timedelta(days=1))
    run(memory.operations.wait(said, message_ids=["w"], thread_id="one thread", patience=patience, **ids))
    return {"ended": ended, "promoted": promoted, "undone": undone, "plan": plan}


def _tell(memory: Memory, owner: str) -> dict[str, Any]:
    """What an owner is told afterwards."""
    ids = {"user_id": owner}
    return {
        "explained": memory.explain("trains, hotels, jam", **ids),
        "document": memory.get_document(Diet, **ids).model_dump(),  # type: ignore[union-attr]
        "summary": memory.summary(**ids),
        "context": memory.context(memory.search("trains", **ids)),
        "exported": memory.export(**ids),
        "copied": memory.get_all(**ids, page_size=100),
    }


def _are_apart(memory: Memory, owners: Sequence[str], caplog: pytest.LogCaptureFixture) -> None:
    answers = ScriptedModel(otherwise=lambda _: facts("Likes jam"))
    memory = Memory(memory.store, clock=memory.clock, model=answers, schemas=[Diet], log_text=True)
    plans = {}
    for n, owner in enumerate(owners):
        told = _remember(memory, owner, f"mark{n}x")
        assert _marks(told) <= {f"mark{n}x"}
        plans[owner] = told["plan"]["batch_id"]
    for n, owner in enumerate(owners):
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "langchain_mem"):
            told = _tell(memory, owner)
        assert {name: _marks(each) for name, each in told.items() if _marks(each) != {f"mark{n}x"}} in (
            {},
            {"summary": set()},
        )
        assert _marks([record.getMessage() for record in caplog.records]) <= {f"mark{n}x"}
        with pytest.raises(NotFound):
            memory.commit(plans[owners[n - 1]], user_id=owner)
        assert memory.pending(["w"], "one thread", user_id=owner) == ["w"]
    for n, owner in enumerate(owners):
        memory.commit(plans[owner], user_id=owner)
        memory.delete_users(user_id=owner) if n % 2 else memory.erase(owner)
        assert memory.get_all(user_id=owner)["results"] == []
        left = [each for each in owners[n + 1 :] if _marks(memory.get_all(user_id=each)) == set()]
        assert left == []
    memory.close()


@_engines(*ENGINES)
def test_every_operation_keeps_owners_apart(memory: Memory, caplog: pytest.LogCaptureFixture) -> None:
    """Sessions, promotion, plans, documents, undoing, what waits, summaries and deletion, for some of the ids."""
    _are_apart(memory, TRICKY[3::16], caplog)


@_engines()
def test_every_operation_keeps_all_owners_apart(memory: Memory, caplog: pytest.LogCaptureFixture) -> None:
    """The same for all eighty."""
    _are_apart(memory, TRICKY, caplog)
