"""LangGraph's own stores, filled through their own interface, and copied by the command."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.postgres import PostgresStore
from langgraph.store.sqlite import SqliteStore

from langchain_mem import LongTermStore, Memory
from langchain_mem.errors import InvalidRequest
from langchain_mem.migrate.stores import copy_items, items_of
from langchain_mem.testing import FakeEmbeddings
from tests.program import run

INDEX: Any = {"dims": 64, "embed": FakeEmbeddings(), "fields": ["text"]}
Fill = Callable[[BaseStore], None]


@pytest.fixture(params=["sqlite", "postgres"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Callable[[Fill], None]]:
    """The address of a store of LangGraph's, and what lets a function fill it."""
    if request.param == "sqlite":
        path = str(tmp_path / "langgraph.db")
        return path, lambda fill: _fill(SqliteStore, path, fill)
    dsn = request.getfixturevalue("fresh_postgres_dsn")
    return dsn, lambda fill: _fill(PostgresStore, dsn, fill)


def _fill(kind: Any, address: str, fill: Fill) -> None:
    with kind.from_conn_string(address) as store:
        store.setup()
        fill(store)


def _age(address: str) -> None:
    """Makes items an hour old: SQLite's instants are whole seconds, in which two puts look like one."""
    if address.endswith(".db"):
        with closing(sqlite3.connect(address)) as connection, connection:
            connection.execute("UPDATE store SET updated_at = datetime(updated_at, '-1 hour')")


def _people(store: BaseStore) -> None:
    store.put(("users", "alex"), "diet", {"text": "eats no meat", "since": 2019, "tags": ["food", None]})
    store.put(("users", "alex", "deep"), "diet", {"text": "ünïcode ✓"})
    store.put(("users", "bob"), "seat", {"text": "likes aisle seats"})
    # in one transaction: pages in order of time would not tell them apart
    store.batch([PutOp(("many",), f"key {number:03d}", {"number": number}) for number in range(450)])


def test_every_item_comes_with_its_instants(source: tuple[str, Callable[[Fill], None]]):
    """A copy has the same items with the same values and instants as the store itself says."""
    address, filled = source
    kept: dict[Any, Any] = {}

    def fill(store: BaseStore) -> None:
        _people(store)
        for namespace in store.list_namespaces(limit=100):
            for item in store.search(namespace, limit=1000):
                kept[item.namespace, item.key] = (item.value, item.created_at.timestamp(), item.updated_at.timestamp())

    filled(fill)
    with LongTermStore.in_memory(index=INDEX) as copy:
        done = copy_items(copy, items_of(address))
        assert (done.copied, done.present, done.expired, done.bad) == (453, 0, 0, [])
        items = copy.search((), limit=1000)
        came = {(i.namespace, i.key): (i.value, i.created_at.timestamp(), i.updated_at.timestamp()) for i in items}
        assert {key: value for key, (value, *_) in came.items()} == {key: value for key, (value, *_) in kept.items()}
        if not address.endswith(".db"):  # SqliteStore reads its UTC text as local time
            assert came == kept
        assert copy.search(("users",), query="eats no meat")[0].key == "diet"


def test_the_command_copies_once(source: tuple[str, Callable[[Fill], None]], tmp_path: Path):
    """The second time nothing is copied but what was put meanwhile, and the source stays as it is."""
    address, filled = source
    filled(_people)
    _age(address)
    folder = str(tmp_path / "ours")
    first = run("copy-store", "--from", address, "--to", folder, "--field", "text")
    assert (first.exit_code, first.stdout) == (0, "453 copied, 0 there already, 0 expired\n")
    filled(lambda store: store.put(("users", "bob"), "seat", {"text": "likes window seats"}))
    dry = run("copy-store", "--from", address, "--to", folder, "--field", "text", "--dry-run")
    assert dry.stdout == "1 would be copied, 452 there already, 0 expired\n"
    again = run("copy-store", "--from", address, "--to", folder, "--field", "text")
    assert again.stdout == "1 copied, 452 there already, 0 expired\n"
    with LongTermStore.chroma(folder) as store:
        assert store.count() == 453
        (item,) = store.search(("users", "bob"), query="which seats?")
        assert item.value == {"text": "likes window seats"}


def test_memories_of_langmem_come_to_their_users(source: tuple[str, Callable[[Fill], None]], tmp_path: Path):
    """The command maps namespaces to users, names the others, and a second run imports nothing."""
    address, filled = source

    def fill(store: BaseStore) -> None:
        memory = {"kind": "Memory", "content": {"content": "Alex is vegetarian"}}
        for key in ("4f1c2f0e-3c70-4e6f-9d2c-2a52a5d0a001", "4f1c2f0e-3c70-4e6f-9d2c-2a52a5d0a002"):
            store.put(("memories", "alex"), key, memory)
        store.put(("memories", "bob"), "tool", {"content": "Bob sails"})
        store.put(("threads", "t1"), "x", {"title": "hello"})

    filled(fill)
    folder = str(tmp_path / "ours")
    options = ("import-langmem", "--from", address, "--namespace", "memories/{langgraph_user_id}", "--store", folder)
    first, again = run(*options), run(*options)
    assert first.stderr == "1 left in threads/t1, which is not memories/{langgraph_user_id}\n"
    assert first.stdout == "2 imported, 0 here already, 1 say the same as another\n"
    assert again.stdout.splitlines()[-1] == "0 imported, 2 here already, 1 say the same as another"
    with Memory(folder) as memory:
        (found,) = memory.search("What does Alex eat?", user_id="alex")["results"]
        assert (found["memory"], found["id"]) == ("Alex is vegetarian", "4f1c2f0e-3c70-4e6f-9d2c-2a52a5d0a001")
        assert memory.get_all(user_id="bob")["count"] == 1


def test_a_sliding_expiry_comes_along(source: tuple[str, Callable[[Fill], None]]):
    """An item's time to live is read from the table, which the store itself does not tell."""
    address, filled = source
    filled(lambda store: store.put(("a",), "slides", {"n": 1}, ttl=60))
    (item,) = items_of(address)
    assert item.ttl is not None
    assert item.expires_at is not None
    assert item.ttl.total_seconds() == 3600
    assert abs((item.expires_at - item.updated_at).total_seconds() - 3600) < 5


def test_a_table_from_before_expiry(tmp_path: Path):
    """A store that no newer LangGraph has opened is read too."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as old, old:
        old.execute("CREATE TABLE store (prefix, key, value, created_at, updated_at)")
        old.execute("INSERT INTO store VALUES ('a.b', 'k', '{\"n\": 1}', '2024-01-02 03:04:05', '2024-01-02 03:04:06')")
    (item,) = items_of(str(path))
    assert (item.namespace, item.value, item.expires_at) == (("a", "b"), {"n": 1}, None)
    assert item.created_at.isoformat() == "2024-01-02T03:04:05+00:00"


def test_what_is_no_store(tmp_path: Path, fresh_postgres_dsn: str):
    """A missing file, a file of another kind and a database without the table say so."""
    (tmp_path / "notes.db").write_text("no database", encoding="utf-8")
    for address in (str(tmp_path / "missing.db"), str(tmp_path / "notes.db"), fresh_postgres_dsn):
        with pytest.raises(InvalidRequest, match=r"SQLite file|LangGraph's"):
            list(items_of(address))
        result = run("copy-store", "--from", address, "--to", str(tmp_path / "ours"))
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 1


def test_the_source_is_only_read(tmp_path: Path, fresh_postgres_dsn: str):
    """Reading does not let an expiring item live on."""
    _fill(PostgresStore, fresh_postgres_dsn, lambda store: store.put(("a",), "k", {"n": 1}, ttl=60))
    with psycopg.connect(fresh_postgres_dsn) as connection:
        before = connection.execute("SELECT * FROM store").fetchall()
        list(items_of(fresh_postgres_dsn))
        assert connection.execute("SELECT * FROM store").fetchall() == before
