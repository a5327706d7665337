"""Eighty ids that a store or a language could take for something else: each is one owner, in everything there is."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from langchain_mem import LongTermStore, Memory
from langchain_mem.errors import NotFound
from langchain_mem.testing import FakeClock, FakeEmbeddings

TRICKY = (
    "a", "A", "\xe1", "a\u0301", "aa", "a_", "a_b", "axb", "a%", "a%b", "%", "_", "a.b", "a.", ".a", "..", ".",
    "a..b", "a/b", "a\\b", "/", "\\", "../a", "a//b", "*", "a*", "?", "a?", "[a]", "{a}", "(a)", "a|b", "^a", "a$",
    "$a", "$ne", "$or", "~", "~2E", "a~b", "'", "a'b", "\"", "a\"b", "`", "a;b", "a--", "'; DROP TABLE items; --",
    "a b", " a", "a ", "a\tb", "a\nb", "a\rb", "\xa0", "\u200b", "\u202ea", "\uff41", "\u0130", "i", "\xdf", "ss",
    "\U0001f642", "\U0001f469\u200d\U0001f469\u200d\U0001f467", "\u65e5\u672c", "\u0639\u0631\u0628\u064a", "0",
    "00", "1e0", "-1", "null", "None", "true", "undefined", "NaN", "alice@acme.io", "alice.smith@acme.io",
    "user:alex", "alex,bo", "x" * 200,
)  # fmt: skip


@pytest.fixture(
    params=[
        "dictionary",
        "chroma",
        "postgres",
        "row security",
        "langgraph-memory",
        pytest.param("chroma over http", marks=pytest.mark.soak),
        pytest.param("langgraph-postgres", marks=pytest.mark.soak),
    ]
)
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
