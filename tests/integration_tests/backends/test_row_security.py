"""Postgres keeps owners apart, with two real roles: raw SQL of the application sees one owner at most."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from langchain_mem._flow import run
from langchain_mem.backends.base import Address
from langchain_mem.backends.postgres.row_security import MOST, TABLES, grants
from langchain_mem.backends.sealing import Encryption
from langchain_mem.background.waiting import Patience
from langchain_mem.errors import InvalidRequest, MemError, StoreError
from langchain_mem.memory import Memory
from langchain_mem.model.scopes import escape
from langchain_mem.repository import living
from langchain_mem.repository.owners import owners_of
from langchain_mem.store.long_term import LongTermStore
from langchain_mem.testing.clock import FakeClock
from langchain_mem.testing.embeddings import FakeEmbeddings
from langchain_mem.testing.model import ScriptedModel

USERS = ("alex", "bo", "alexa", "al%x", "alex'; --", "ALEX", "álex", "a/b")


class Place(NamedTuple):
    """Tables of a test's own, as the setup role and as the application's role reach them."""

    setup: str
    app: str
    schema: str

    def store(self, role: str = "app", **config: Any) -> LongTermStore:
        """A store with row security, opened by one of the roles."""
        dsn = self.app if role == "app" else self.setup
        config = {"row_security": True, **config}
        return LongTermStore.postgres(dsn, schema=self.schema, embed=FakeEmbeddings(), **config)


@pytest.fixture(scope="module")
def role(postgres_dsn: str) -> Iterator[str]:
    """The application's role."""
    name = f"app_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_dsn, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'app'")
        yield name
        admin.execute(f"DROP OWNED BY {name}")
        admin.execute(f"DROP ROLE {name}")


@pytest.fixture
def place(postgres_dsn: str, role: str) -> Iterator[Place]:
    """Tables with policies, which the application's role may use."""
    place = Place(postgres_dsn, make_conninfo(postgres_dsn, user=role, password="app"), f"rls_{uuid.uuid4().hex}")
    with place.store("setup") as store:
        store.setup()
    with psycopg.connect(postgres_dsn, autocommit=True) as admin:
        admin.execute(grants(role, place.schema))
        yield place
        admin.execute(f"DROP SCHEMA {place.schema} CASCADE")


@pytest.fixture
def memory(place: Place) -> Iterator[Memory]:
    """A memory with the application's role, and a fact of each user."""
    with place.store() as store:
        memory = Memory(store)
        for user in USERS:
            memory.add(f"My name is {user} and I like tea", user_id=user)
            memory.add(f"{user} is busy this week", user_id=user, run_id="s1")
        yield memory


def _raw(dsn: str, query: str, shown: str | None = None) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        if shown is not None:
            connection.execute("SELECT set_config('langchain_mem.shown', %s, FALSE)", (shown,))
        return connection.execute(query).fetchall()


def test_raw_sql_sees_nothing_of_its_own(memory: Memory, place: Place) -> None:
    """The application's role sees no row of any table where no owner is named; the setup role sees them all."""
    memory.erase(user_id="bo")
    for table in ("items", "vectors", "gone"):
        count = f"SELECT count(*) FROM {place.schema}.{table}"
        assert (table, _raw(place.app, count)) == (table, [(0,)])
        assert _raw(place.setup, count)[0][0] > 0, table


def test_raw_sql_sees_one_owner(memory: Memory, place: Place) -> None:
    """Within an operation about one owner, SQL without any WHERE sees that owner's rows and no others."""
    vectors_of = f"SELECT count(*) FROM {place.schema}.vectors v WHERE v.item = i.id"
    every = f"SELECT i.namespace, ({vectors_of}) FROM {place.schema}.items i"
    for user in USERS:
        owner = ("memories", "user", escape(user))
        seen = _raw(place.app, every, json.dumps([owner]))
        assert {tuple(namespace[:3]) for namespace, _ in seen} == {owner}
        assert sum(vectors for _, vectors in seen) > 0


def test_notes_of_uses_are_an_owners_and_go_after_a_day(memory: Memory, place: Place) -> None:
    """Another owner's uses are not seen, and the application's role drops the notes of all when it purges."""
    memory.search("tea", user_id="alex", reinforce="returned")
    memory.flush()
    noted = f"SELECT count(*) FROM {place.schema}.used"
    alex, bo = (json.dumps([("memories", "user", user)]) for user in ("alex", "bo"))
    assert [_raw(place.app, noted, shown)[0][0] for shown in (alex, bo, None)] == [1, 0, 0]
    with psycopg.connect(place.setup, autocommit=True) as admin:
        admin.execute(f"UPDATE {place.schema}.used SET at = at - interval '2 days'")
    memory.purge_expired(user_id="alex")
    assert _raw(place.setup, noted) == [(0,)]


def test_raw_sql_cannot_write_for_another(memory: Memory, place: Place) -> None:
    """Rows of another owner cannot be changed, removed or made."""
    mine = '[["memories", "user", "alex"]]'
    update = f"UPDATE {place.schema}.items SET value = '{{}}' RETURNING namespace"
    changed = f"WITH c AS ({update}) SELECT DISTINCT namespace[3] FROM c"
    assert _raw(place.app, changed, mine) == [("alex",)]
    move = f"UPDATE {place.schema}.items SET namespace = ARRAY['memories', 'user', 'bo'] RETURNING 1"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _raw(place.app, move, mine)
    removed = f"WITH d AS (DELETE FROM {place.schema}.items RETURNING namespace) SELECT DISTINCT namespace[3] FROM d"
    assert _raw(place.app, removed, mine) == [("alex",)]


def test_nothing_stays_shown(memory: Memory, place: Place) -> None:
    """A connection that goes back to its pool shows nobody's rows to whoever takes it next."""
    with ConnectionPool(place.app, min_size=1, max_size=1, kwargs={"autocommit": True}) as pool:
        with LongTermStore.postgres(pool=pool, schema=place.schema, embed=FakeEmbeddings(), row_security=True) as store:
            assert Memory(store).search("tea", user_id="alex")["results"]
        with pool.connection() as connection:
            assert connection.execute(f"SELECT count(*) FROM {place.schema}.items").fetchone() == (0,)


def test_least_privilege(place: Place) -> None:
    """The application's role has no right that its work does not need."""
    for forbidden in (
        "UPDATE {schema}.meta SET version = 0",
        "DELETE FROM {schema}.gone",
        "ALTER TABLE {schema}.items DISABLE ROW LEVEL SECURITY",
        "DROP TABLE {schema}.items CASCADE",
        "TRUNCATE {schema}.items CASCADE",
        "CREATE TABLE {schema}.mine (a int)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _raw(place.app, forbidden.format(schema=place.schema))


def test_memory_works(memory: Memory) -> None:
    """Every operation of one owner does what it does without row security."""
    added = memory.add("I live in Berlin", user_id="alex")["results"][0]
    assert memory.search("Berlin", user_id="alex")["results"][0]["id"] == added["id"]
    assert memory.search("tea", user_id="alex", run_id="s1")["results"]
    memory.update(added["id"], "I live in Rome", user_id="alex")
    assert memory.get(added["id"], user_id="alex")["memory"] == "I live in Rome"  # type: ignore[index]
    assert [entry["event"] for entry in memory.history(added["id"], user_id="alex")]
    memory.delete(added["id"], user_id="alex")
    memory.restore(added["id"], user_id="alex")
    assert memory.stats(user_id="alex")
    memory.end_session(user_id="alex", run_id="s1")
    exported = memory.export(user_id="alex")
    memory.delete_all(user_id="alex")
    memory.import_(exported)
    memory.erase(user_id="alex")
    assert memory.get_all(user_id="alex")["results"] == []
    assert memory.get_all(user_id="bo")["results"]


def test_what_is_about_everybody_is_refused(memory: Memory, place: Place) -> None:
    """The application's role may not list or search all owners; the setup role, without row security, may."""
    everybody = Memory(memory.store, all_owners=True)
    for operation in (everybody.users, lambda: everybody.search("tea"), lambda: everybody.get_all()):
        with pytest.raises(InvalidRequest, match="names its owner"):
            operation()
    with place.store("setup", row_security=False) as store:
        assert len(Memory(store, all_owners=True).users()["results"]) >= len(USERS)


def test_the_setup_role_is_refused_for_operations(place: Place) -> None:
    """A role that bypasses the policies would seem safe and not be."""
    with place.store("setup") as store:
        store.setup()
        with pytest.raises(StoreError, match="does not apply to this role"):
            store.get(("memories", "user", "alex"), "a")


def test_the_application_cannot_set_up(place: Place) -> None:
    """Where the tables and policies are missing, the application's role says so and makes none."""
    with place._replace(schema=f"rls_{uuid.uuid4().hex}").store() as store, pytest.raises(StoreError):
        store.setup()


def test_purging_needs_no_owner_and_no_trust(memory: Memory, place: Place) -> None:
    """What has expired is swept whoever's it was; calling the future the present removes nothing that lives."""
    later = FakeClock(datetime.now(UTC) + timedelta(days=365))
    memory.store.put(("memories", "user", "zoe"), "k", {"text": "tea"}, expires_at=timedelta(days=1))  # type: ignore[call-arg]
    with place.store(clock=later) as store:
        assert store.sweep_ttl() == 0
        _raw(
            place.setup,
            f"UPDATE {place.schema}.items SET expires_at = '2020-01-01' WHERE namespace[3] = 'zoe' RETURNING 1",
        )
        assert store.sweep_ttl() == 1


def test_too_many_owners_at_once(memory: Memory) -> None:
    """An operation about more owners than a policy can name is refused, and none is left out silently."""
    from langgraph.store.base import GetOp

    with pytest.raises(MemError, match=str(MOST)):
        memory.store.batch([GetOp(("memories", "user", f"u{n}"), "k") for n in range(MOST + 1)])


def test_uses_of_many_owners_at_once(place: Place) -> None:
    """Uses of more memories' owners than a policy can name are all recorded, whatever else is in their batch."""
    owners = [f"u{n}" for n in range(MOST + 4)]
    used = datetime(2026, 1, 1, tzinfo=UTC)
    with place.store() as store:
        addresses = [Address(("memories", "user", owner), "k") for owner in owners]
        for address in addresses:
            store.put(*address, {"text": "tea"})
        run(store.items.touch({address: [used] for address in addresses}, keep=5))
        rows = [run(store.items.read([address]))[0] for address in addresses]
        assert [row and row.touches for row in rows] == [(used,)] * len(owners)


def test_scopes_are_index_ranges(memory: Memory, place: Place) -> None:
    """A policy costs one owner's search an index range, not a walk over everybody's rows."""
    with psycopg.connect(place.setup, autocommit=True) as admin:
        admin.execute(
            f"INSERT INTO {place.schema}.items"
            " (namespace, key, value, created_at, updated_at, revision, digests, touches, words)"
            " SELECT ARRAY['memories', 'user', 'u' || n], 'k', '{}', now(), now(), '1', '{}', '{}', ''"
            " FROM generate_series(1, 20000) n"
        )
        admin.execute(f"ANALYZE {place.schema}.items")
    plan = _raw(place.app, f"EXPLAIN SELECT count(*) FROM {place.schema}.items", '[["memories", "user", "alex"]]')
    text = "\n".join(line for (line,) in plan)
    assert "Seq Scan on items" not in text, text


def test_with_encryption(place: Place) -> None:
    """Both at once: owners are kept apart, and what the database holds is sealed."""
    keys = Encryption(key=b"sixteen bytes or more")
    with place.store(encryption=keys) as store:
        memory = Memory(store)
        memory.add("I like green tea", user_id="alex")
        assert memory.search("green tea", user_id="alex")["results"][0]["memory"] == "I like green tea"
    kept = _raw(place.setup, f"SELECT value::text || words::text || digests::text FROM {place.schema}.items")
    assert kept
    assert not [row for row in kept if "green" in row[0]]


def test_events_are_kept_for_their_owner(place: Place) -> None:
    """Events that are kept lie under the same policies: each owner's are found by that owner, raw SQL sees none."""
    with place.store() as store:
        memory = Memory(store, keep_events=5)
        for number in range(9):
            memory.search(f"Question {number}", user_id="alex")
            memory.flush()
        memory.search("Tea?", user_id="bo")
        memory.close()
        later = Memory(store, keep_events=5)
        assert 5 <= len(later.events(user_id="alex")) <= 6
        assert [event["ids"] for event in later.events(user_id="bo")] == [{"user_id": "bo"}]
    assert _raw(place.app, f"SELECT count(*) FROM {place.schema}.items") == [(0,)]


def test_every_table_shows_one_owner(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever tables there are, now or in a later release: raw SQL of the application sees one owner's rows in each.

    Memories, turns, uses, journals, plans, events, messages that wait, removals and kept indexes are there to be seen.
    """
    monkeypatch.setattr(living, "_WORTH_KEEPING", 1)
    some = USERS[:4]
    with place.store() as store:
        memory = Memory(store, keep_events=9, model=ScriptedModel(otherwise=lambda _: {"operations": []}))
        for n, user in enumerate(some):
            _everything_of(memory, user, f"mark{n}x")
        memory.close()
    with place.store() as store:  # where nothing was removed, an index is kept
        for n, user in enumerate(some):
            Memory(store).search(f"mark{n}x tea", user_id=user)
        owners_of(store.items)._behind.wait()  # type: ignore[attr-defined]
    tables = [
        name for (name,) in _raw(place.setup, f"SELECT tablename FROM pg_tables WHERE schemaname = '{place.schema}'")
    ]
    assert {*TABLES, "meta"} <= set(tables)
    marks = {f"mark{n}x" for n in range(len(some))}
    seen: dict[str, set[str]] = {user: set() for user in some}
    for table in tables:
        every = f"SELECT t::text FROM {place.schema}.{table} t"
        held = [row for (row,) in _raw(place.setup, every)]
        assert held, f"nothing in {table} to be seen"
        if table != "meta":
            assert _raw(place.app, every) == []
        for n, user in enumerate(some):
            mine = [row for (row,) in _raw(place.app, every, json.dumps([("memories", "user", escape(user))]))]
            assert not _marks_in(mine) & (marks - {f"mark{n}x"})
            assert table == "meta" or len(mine) < len(held)
            seen[user] |= _marks_in(mine)
    assert seen == {user: {f"mark{n}x"} for n, user in enumerate(some)}


def _marks_in(rows: list[str]) -> set[str]:
    """Whose words are in some rows, be they text or bytes."""
    held = [row + "".join(_bytes_in(row)) for row in rows]
    return {mark for row in held for mark in re.findall(r"mark\d+x", row)}


def _bytes_in(row: str) -> list[str]:
    return [bytes.fromhex(run).decode("latin-1") for run in re.findall(r"\\x((?:[0-9a-f]{2})+)", row)]


def _everything_of(memory: Memory, user: str, mark: str) -> None:
    """What an owner may have in the store, each with the owner's mark in it."""
    memory.add([f"Likes {mark} tea", f"Drinks {mark}"], user_id=user, infer=False)
    (gone,) = memory.add(f"Hates {mark}", user_id=user, infer=False)["results"]
    memory.plan(f"I said {mark}", user_id=user, source={"thread_id": mark, "message_ids": [mark]})
    waits = [{"role": "user", "content": f"wait {mark}", "id": mark}]
    patience = Patience(after=timedelta(days=1))
    run(memory.operations.wait(waits, message_ids=[mark], thread_id=mark, patience=patience, user_id=user))
    memory.search(f"{mark} tea", user_id=user)
    memory.delete(gone["id"], user_id=user)
    memory.add(f"Short {mark}", user_id=user, run_id="s", infer=False)
    memory.delete_all(user_id=user, run_id="s")
    memory.purge_expired(user_id=user)
