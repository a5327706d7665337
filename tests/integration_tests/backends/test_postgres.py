"""What is Postgres' own: connections, migrations, transactions, plans."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import traceback
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from langchain_mem._flow import arun, run
from langchain_mem.backends.base import (
    ANY,
    Address,
    Compacting,
    Embedder,
    Grouping,
    Lexical,
    Query,
    Row,
    Scanning,
    Touching,
    Write,
)
from langchain_mem.backends.postgres.backend import PostgresBackend
from langchain_mem.backends.postgres.reading import select
from langchain_mem.backends.postgres.schema import VERSION
from langchain_mem.backends.postgres.sql import Statement
from langchain_mem.errors import Conflict, InvalidRequest, StoreError
from langchain_mem.filters.language import matches, parse, parse_store
from langchain_mem.testing.strategies import memory_filters, memory_values, store_filters, store_values

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EMBEDDER = Embedder("fake", 8)
HERE = Address(("a",), "k")
BACKSLASHES = "\\"
Open = Callable[..., PostgresBackend]


def unit(*numbers: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    vector = np.resize(np.array(numbers, dtype=np.float32), 8)
    return vector / np.linalg.norm(vector)


def make(address: Address = HERE, value: dict[str, Any] | None = None, **fields: Any) -> Row:
    defaults: dict[str, Any] = {"created_at": NOW, "updated_at": NOW, "revision": uuid.uuid4().hex}
    return Row(address=address, value=value or {}, **(defaults | fields))


def put(backend: PostgresBackend, *rows: Row, expects: Any = ANY) -> None:
    run(backend.write([Write(address=row.address, row=row, expects=expects) for row in rows], NOW))


def got(backend: PostgresBackend, address: Address = HERE) -> Row:
    (row,) = run(backend.get([address], NOW))
    assert row is not None
    return row


@pytest.fixture
def opened(postgres_dsn: str) -> Iterator[Open]:
    """Opens backends on one empty schema, and closes them."""
    backends: list[PostgresBackend] = []
    schema = f"backend_{uuid.uuid4().hex}"

    def opened(**options: Any) -> PostgresBackend:
        options = options if "pool" in options else {"dsn": postgres_dsn, **options}
        backends.append(PostgresBackend(**{"schema": schema, **options}))
        run(backends[-1].setup(EMBEDDER))
        return backends[-1]

    yield opened
    for backend in backends:
        run(backend.close())


@pytest.fixture
def backend(opened: Open) -> PostgresBackend:
    return opened()


def test_has_every_ability(backend: PostgresBackend) -> None:
    """The store may scan it, search its words, record uses and compact it."""
    for ability in (Scanning, Lexical, Grouping, Touching, Compacting):
        assert isinstance(backend, ability)


# Connections


def test_event_loops_in_turn(backend: PostgresBackend) -> None:
    """One backend serves event loops that come and go, and threads in between."""
    for n in range(3):
        asyncio.run(_puts(backend, n))
        assert run(backend.count(Query(now=NOW))) == 20 * (n + 1)


async def _puts(backend: PostgresBackend, n: int) -> None:
    rows = [make(Address(("a", str(n)), str(k))) for k in range(20)]
    await asyncio.gather(*(arun(backend.write([Write(address=row.address, row=row)], NOW)) for row in rows))


def test_given_sync_pool(opened: Open, postgres_dsn: str) -> None:
    """A `ConnectionPool` serves both forms, whatever its rows look like, and is left open."""
    options = {"row_factory": psycopg.rows.dict_row, "options": "-c timezone=Asia/Kathmandu"}
    with ConnectionPool(postgres_dsn, kwargs=options, min_size=1, max_size=2, open=True) as pool:
        backend = opened(pool=pool)
        put(backend, make())
        assert asyncio.run(arun(backend.get([HERE], NOW)))[0] is not None
        assert got(backend).created_at.tzinfo is UTC
        run(backend.compact())
        run(backend.close())
        with pool.connection() as connection:
            assert connection.execute("SELECT 1 AS one").fetchone() == {"one": 1}


def test_given_async_pool(postgres_dsn: str) -> None:
    """An `AsyncConnectionPool` serves its event loop and is left open; the sync forms connect by themselves."""
    schema = f"backend_{uuid.uuid4().hex}"

    async def use() -> None:
        async with AsyncConnectionPool(postgres_dsn, min_size=1, max_size=2, open=False) as pool:
            backend = PostgresBackend(pool=pool, schema=schema)
            await arun(backend.setup(EMBEDDER))
            row = make()
            await arun(backend.write([Write(address=HERE, row=row)], NOW))
            assert (await asyncio.to_thread(got, backend)).revision == row.revision
            await arun(backend.compact())
            await arun(backend.close())
            async with pool.connection() as connection:
                await connection.execute("SELECT 1")

    asyncio.run(use())


@pytest.mark.parametrize("drive", [run, lambda body: asyncio.run(arun(body))], ids=["sync", "async"])
def test_engine_errors_are_store_errors(drive: Callable[..., Any]) -> None:
    """A server that cannot be reached is a `StoreError` at once, with psycopg's own error as its cause."""
    backend = PostgresBackend("host=127.0.0.1 port=1 user=nobody")
    with pytest.raises(StoreError) as raised:
        drive(backend.setup(None))
    assert isinstance(raised.value.__cause__, psycopg.OperationalError)


REFUSE = """
CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'no more rows' USING DETAIL = 'Key ' || NEW.key || ' of ' || NEW.value::text; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON {schema}.items FOR EACH ROW EXECUTE FUNCTION {schema}.refuse();
"""


def test_errors_quote_no_row(fresh_postgres_dsn: str) -> None:
    """What Postgres says of the row that it refused is neither in the error nor in its causes."""
    backend = PostgresBackend(fresh_postgres_dsn)
    run(backend.setup(EMBEDDER))
    with psycopg.connect(fresh_postgres_dsn, autocommit=True) as admin:
        admin.execute(REFUSE.format(schema="langchain_mem"))
    key, text = uuid.uuid4().hex, uuid.uuid4().hex
    with pytest.raises(StoreError, match="no more rows") as raised:
        put(backend, make(Address(("a",), key), {"memory": text}))
    told = "".join(traceback.format_exception(raised.value))
    assert key not in told
    assert text not in told
    run(backend.close())


DROP = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
"""Closes every other connection, and waits until it is closed."""


def drop_connections(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute(DROP)


def test_dropped_connections_are_replaced(backend: PostgresBackend, postgres_dsn: str) -> None:
    """After the server has dropped every connection, the next calls of threads and of an event loop are answered."""

    async def use() -> None:
        await asyncio.gather(*(arun(backend.count(Query(now=NOW))) for _ in range(5)))
        drop_connections(postgres_dsn)
        for _ in range(5):
            assert await arun(backend.count(Query(now=NOW))) == 0

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _: run(backend.count(Query(now=NOW))), range(20)))
    asyncio.run(use())
    assert [run(backend.count(Query(now=NOW))) for _ in range(5)] == [0] * 5


def test_dropped_connections_of_a_given_pool(opened: Open, postgres_dsn: str) -> None:
    """A pool of the user's own, which does not look whether a connection lives, serves the next call, too."""
    with ConnectionPool(postgres_dsn, min_size=3, max_size=3, open=True) as pool:
        backend = opened(pool=pool)
        pool.wait()
        drop_connections(postgres_dsn)
        assert run(backend.count(Query(now=NOW))) == 0


@pytest.mark.parametrize("schema", ["", "a b", 'a"; DROP TABLE x; --', "x" * 64, "é"])
def test_schema_is_a_name(schema: str) -> None:
    """What is no plain name is refused before it reaches any statement."""
    with pytest.raises(InvalidRequest, match="schema"):
        PostgresBackend(schema=schema)


# Migrations

SETUP = """
import sys
from langchain_mem._flow import run
from langchain_mem.backends.base import Embedder
from langchain_mem.backends.postgres.backend import PostgresBackend
backend = PostgresBackend(sys.argv[1])
sys.stdin.readline()
run(backend.setup(Embedder("fake", 8)))
run(backend.close())
"""


def test_processes_set_up_at_once(fresh_postgres_dsn: str) -> None:
    """Of several processes that start on an empty database at once, none fails, and one makes the tables."""
    command = [sys.executable, "-c", SETUP, fresh_postgres_dsn]
    starting = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in starting:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=300)[1] for process in starting] == ["", "", ""]
    with psycopg.connect(fresh_postgres_dsn) as connection:
        assert connection.execute("SELECT version, embedder, dims FROM langchain_mem.meta").fetchall() == [
            (VERSION, "fake", 8)
        ]


def test_conversations_are_found_by_an_index(opened: Open) -> None:
    """Of a scope the rows of some conversations, whatever a name is made of; the plan reads no other row."""
    backend = opened()
    names = ["1", "\u0001 it's \\", "3", None]
    rows = [make(Address(("a", str(n)), str(at)), {"group": names[n]}) for n in range(4) for at in range(3)]
    put(backend, *rows, make(Address(("b", "0"), "k"), {"group": "1"}), make(Address(("a", "0"), "no group")))
    asked = Query(now=NOW, prefixes=(("a",),), limit=5)
    found = run(backend.grouped(asked, ["1"]))
    assert sorted(match.row.address for match in found) == [row.address for row in rows[:3]]
    assert [match.row.value["group"] for match in run(backend.grouped(asked, [names[1]]))] == [names[1]] * 3
    assert len(run(backend.grouped(asked, ["1", "3"]))) == 5
    statement = backend._reading.grouped(select(asked), ["1"], 5)
    plan = run(
        backend.send(
            Statement("SET LOCAL enable_seqscan = off"), statement._replace(query=f"EXPLAIN {statement.query}")
        )
    )
    assert any("items_group" in line for (line,) in plan[1])


def test_newer_tables_are_refused(opened: Open, postgres_dsn: str) -> None:
    """Tables that a later version made are left alone, and the error says to upgrade."""
    backend = opened(schema=f"newer_{uuid.uuid4().hex}")
    meta = backend.tables.meta
    with psycopg.connect(postgres_dsn, autocommit=True) as admin:
        admin.execute(f"UPDATE {meta} SET version = 99".encode())
    with pytest.raises(StoreError, match="Upgrade"):
        run(backend.setup(EMBEDDER))


@pytest.mark.parametrize(("dims", "kind"), [(2_000, "vector"), (2_001, "halfvec"), (4_001, None)])
def test_index_fits_the_dimensions(opened: Open, postgres_dsn: str, dims: int, kind: str | None) -> None:
    """Vectors are indexed as they are, then with 16-bit floats, then not at all; search is exact in its scores."""
    backend = PostgresBackend(postgres_dsn, schema=f"dims_{dims}", exact=0)
    run(backend.setup(Embedder("large", dims)))
    vectors = np.eye(3, dims, dtype=np.float32)
    put(backend, *(make(Address(("a",), str(n)), vectors=vectors[n : n + 1]) for n in range(3)))
    query = vectors[:2].sum(axis=0) / np.sqrt(np.float32(2))
    found = run(backend.search(Query(now=NOW, vector=query, limit=2)))
    assert [(match.row.address.key, match.score) for match in found] == [
        ("0", pytest.approx(0.5**0.5)),
        ("1", pytest.approx(0.5**0.5)),
    ]
    with psycopg.connect(postgres_dsn) as connection:
        indexes = connection.execute(f"SELECT indexdef FROM pg_indexes WHERE schemaname = 'dims_{dims}'").fetchall()
    assert [f"::{kind}(" in "".join(map(str, indexes)), "hnsw" in str(indexes)] == [kind is not None, kind is not None]
    run(backend.close())


# Transactions


def test_one_of_many_writers_wins(backend: PostgresBackend) -> None:
    """Of eight that replace the same revision at once exactly one succeeds; likewise of eight that create."""
    for expects in (None, "first"):
        rows = [make(revision=f"{expects}-{n}") for n in range(8)]

        def attempt(row: Row, expects: str | None = expects) -> bool:
            try:
                put(backend, row, expects=expects)
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            won = list(threads.map(attempt, rows))
        assert won.count(True) == 1
        assert got(backend).revision == rows[won.index(True)].revision
        put(backend, make(revision="first"))


def test_no_update_is_lost(backend: PostgresBackend) -> None:
    """Writers that read, add one, and try again after a conflict add up."""
    put(backend, make(value={"n": 0}))

    def add(_: int) -> None:
        while True:
            row = got(backend)
            try:
                put(backend, make(value={"n": row.value["n"] + 1}), expects=row.revision)
            except Conflict:
                continue
            return

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(40)))
    assert got(backend).value == {"n": 40}


def test_crossing_batches_do_not_deadlock(backend: PostgresBackend) -> None:
    """Batches that name the same rows in opposite orders, and touches of them, all get through."""
    rows = [make(Address(("a",), str(n)), vectors=unit(n, 1)[None]) for n in range(10)]
    put(backend, *rows)
    marks = {row.address: [NOW] for row in rows}

    def work(n: int) -> None:
        put(backend, *(rows if n % 2 else rows[::-1]))
        run(backend.touch(marks if n % 2 else dict(reversed(marks.items())), 1_000))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(24)))
    assert [len(got(backend, row.address).touches) for row in rows] == [24] * 10


def test_conflict_anywhere_undoes_the_batch(backend: PostgresBackend) -> None:
    """A batch whose last write meets something else leaves the first one undone."""
    put(backend, make(Address(("b",), "there")))
    first = make(Address(("a",), "first"))
    second = Write(address=Address(("b",), "there"), row=None, expects="other")
    with pytest.raises(Conflict, match="there"):
        run(backend.write([Write(address=first.address, row=first), second], NOW))
    assert run(backend.get([first.address], NOW)) == [None]


def test_expired_is_nothing_there(backend: PostgresBackend) -> None:
    """A row that expects nothing replaces an expired one, and inherits none of its touches."""
    put(backend, make(touches=(NOW,), expires_at=NOW - timedelta(seconds=1), vectors=unit(1, 2)[None]))
    put(backend, make(value={"new": True}), expects=None)
    assert (got(backend).value, got(backend).touches, len(got(backend).vectors)) == ({"new": True}, (), 0)
    with pytest.raises(Conflict):
        run(backend.write([Write(address=HERE, row=None, expects=None)], NOW))


def test_fewer_vectors_leave_none_behind(backend: PostgresBackend) -> None:
    """A row has the vectors of its last write, exactly and in their order."""
    vectors = np.stack([unit(n, 1, 2) for n in range(5)])
    for some in (vectors, vectors[3:1:-1], vectors[:0], vectors[1:]):
        put(backend, make(vectors=some))
        np.testing.assert_array_equal(got(backend).vectors, some)


# Values


def test_a_megabyte(backend: PostgresBackend) -> None:
    """A value of a megabyte and a text of five, all of different words, are kept and found."""
    value = {"text": "".join(map(chr, range(0x4E00, 0x9E00))) * 20, "nul": "\x00"}
    put(backend, make(value=value, texts=(" ".join(f"word{n}" for n in range(500_000)),)))
    assert got(backend).value == value
    assert len(run(backend.lexical(Query(now=NOW), ["word7"]))) == 1


@pytest.mark.parametrize("word", ["'", BACKSLASHES, "a'b", "a:*", "!a", "a & b", "\x00", "\ud800", "", "x" * 5_000])
def test_words_are_data(backend: PostgresBackend, word: str) -> None:
    """No word is syntax of a text search, and none fails."""
    put(backend, make(texts=("a b",)))
    assert run(backend.lexical(Query(now=NOW), [word])) == []
    assert len(run(backend.lexical(Query(now=NOW), [word, "b"]))) == 1


def test_too_long_an_address(backend: PostgresBackend) -> None:
    """An address beyond what an index takes is refused by the database, and says so."""
    with pytest.raises(StoreError, match="maximum"):
        put(backend, make(Address(("".join(map(chr, range(0x4E00, 0x5E00))),), "k")))


@pytest.mark.parametrize("form", [(parse, memory_values, memory_filters), (parse_store, store_values, store_filters)])
def test_filters_mean_what_matches_says(backend: PostgresBackend, form: Any) -> None:
    """SQL alone, where it claims to be exact, finds what `matches` does, and never misses any of it."""
    read, values, filters = form

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.lists(values(), min_size=1, max_size=8), st.lists(filters(), min_size=8, max_size=8))
    def law(values: list[dict[str, Any]], filters: list[dict[str, Any]]) -> None:
        scope = (uuid.uuid4().hex,)
        put(backend, *(make(Address(scope, str(n)), value) for n, value in enumerate(values)))
        for condition in map(read, filters):
            query = Query(now=NOW, prefixes=(scope,), condition=condition)
            expected = {str(n) for n, value in enumerate(values) if matches(condition, value)}
            assert _keys_by_sql_alone(backend, query) >= expected
            assert not select(query).exact or _keys_by_sql_alone(backend, query) == expected
            assert {match.row.address.key for match in run(backend.search(query))} == expected
            assert run(backend.count(query)) == len(expected)

    law()


def _keys_by_sql_alone(backend: PostgresBackend, query: Query) -> set[str]:
    return {record[1] for record in run(backend._pools.read(backend._reading.newest(select(query), None, 0)))}


def test_finished_filters_fill_the_page(backend: PostgresBackend) -> None:
    """Where `matches` has to finish, pages are as full and as ordered as where SQL decides."""
    put(backend, *(make(Address(("a",), f"{n:03}"), {"text": "STRASSE" if n % 10 else "Straße é"}) for n in range(100)))
    condition = parse_store({"$and": [{"text": {"$icontains": "strasse"}}, {"text": {"$icontains": "É"}}]})
    pages = [
        [
            match.row.address.key
            for match in run(backend.search(Query(now=NOW, condition=condition, limit=4, offset=at)))
        ]
        for at in (0, 4, 8)
    ]
    assert pages == [["000", "010", "020", "030"], ["040", "050", "060", "070"], ["080", "090"]]


# Plans


@pytest.fixture(scope="module")
def crowded(postgres_dsn: str) -> Iterator[PostgresBackend]:
    """A hundred owners of thirty rows each."""
    backend = PostgresBackend(postgres_dsn, schema="crowded")
    run(backend.setup(EMBEDDER))
    rows = [
        make(
            Address(("u", f"{owner:03}"), f"{n:02}"), {"n": n}, texts=(f"tea {n}",), vectors=unit(owner + 1, n, 7)[None]
        )
        for owner in range(100)
        for n in range(30)
    ]
    put(backend, *rows)
    run(backend.compact())
    yield backend
    run(backend.close())


@pytest.fixture
def broad(crowded: PostgresBackend, postgres_dsn: str) -> Iterator[PostgresBackend]:
    """The same rows, as if there were too many to be searched exactly."""
    backend = PostgresBackend(postgres_dsn, schema="crowded", exact=0)
    yield backend
    run(backend.close())


def test_no_statement_reads_other_owners(crowded: PostgresBackend, postgres_dsn: str) -> None:
    """Whatever is asked of one owner's scope, no more rows are read than that owner has."""
    sql, scope = crowded._reading, (("u", "007"),)
    selection = select(Query(now=NOW, prefixes=scope, condition=parse_store({"n": {"$gte": 15}})))
    statements = {
        "scan": sql.scan(scope, NOW, 1_000),
        "stamp": sql.stamp(scope),
        "newest": sql.newest(selection, 10, 0),
        "nearest": sql.nearest(selection, unit(1, 2, 3), 10, 0),
        "count": sql.count(selection),
        "get": sql.get([Address(("u", "007"), "01")], NOW),
        "refresh": crowded._writing.refresh([Address(("u", "007"), "01")], NOW),
        "touch": crowded._writing.touch({Address(("u", "007"), "01"): [NOW]}, 3),
    }
    read = {name: _rows_read(crowded, postgres_dsn, statement) for name, statement in statements.items()}
    assert {name: rows for name, rows in read.items() if rows > 30} == {}


def test_broad_search_uses_the_index(crowded: PostgresBackend, broad: PostgresBackend) -> None:
    """A search by the HNSW index fills its limit, and its pages are parts of one order, near the exact one."""
    vector = unit(3, 5, 4)
    exact = run(crowded.search(Query(now=NOW, vector=vector, limit=300)))
    found = run(broad.search(Query(now=NOW, vector=vector, limit=300)))
    assert len({match.row.address for match in found}) == 300
    assert [match.score for match in found] == sorted((match.score or 0 for match in found), reverse=True)
    assert len({match.row.address for match in found} & {match.row.address for match in exact}) > 285
    pages = [run(broad.search(Query(now=NOW, vector=vector, limit=100, offset=at))) for at in (0, 100, 200)]
    assert [match.row.address for page in pages for match in page] == [match.row.address for match in found]


def test_narrow_filter_of_a_broad_search(broad: PostgresBackend) -> None:
    """A filter that leaves few of many rows still finds each of them."""
    condition = parse_store({"n": 29})
    found = run(broad.search(Query(now=NOW, vector=unit(1, 2), condition=condition, limit=150)))
    assert len(found) == 100


def test_erased_text_is_gone_from_the_files(backend: PostgresBackend, postgres_dsn: str) -> None:
    """After `compact` the tables take the room of what lives."""
    put(backend, *(make(Address(("a",), str(n)), {"text": "x" * 1_000}) for n in range(500)))
    size = f"SELECT pg_relation_size('{backend.tables.items}')"
    run(backend.write([Write(address=Address(("a",), str(n)), row=None) for n in range(500)], NOW))
    run(backend.compact())
    with psycopg.connect(postgres_dsn) as connection:
        assert connection.execute(size).fetchone() == (0,)


def _rows_read(backend: PostgresBackend, dsn: str, statement: Statement) -> int:
    """The most rows that any node of the plan met, those it threw away included."""
    explained = Statement("EXPLAIN (ANALYZE, FORMAT JSON) " + statement.query, statement.parameters)
    (((plans,),),) = [run(backend._pools.read(explained))]
    return max(_met(plans[0]["Plan"]))


def _met(node: dict[str, Any]) -> Iterator[float]:
    yield node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
    for child in node.get("Plans", []):
        yield from _met(child)


def _mixed(generation: int, count: int = 30) -> list[Row]:
    """Rows with none to three vectors, odd texts and namespaces, uses and expiries, the same for one generation."""
    return [
        make(
            Address(("a", 'b "\\ \x01', str(n % 3))[: 2 + n % 2], f"{n:02}"),
            {"n": n, "text": f"row {n} \x00 {generation}", "big": 1e23},
            revision=f"{generation}-{n}",
            texts=(f"row {n} of {generation}\x01", "\U0001f600 it's"),
            vectors=np.stack([unit(n, 1 + each, generation) for each in range(3)])[: (n + generation) % 4],
            digests=tuple(map(str, range((n + generation) % 4))),
            touches=tuple(NOW - timedelta(hours=each) for each in range(n % 3, 0, -1)),
            expires_at=NOW + timedelta(days=n % 5 - 1) if n % 5 != 3 else None,
            ttl=timedelta(hours=1) if n % 2 else None,
        )
        for n in range(count)
    ]


def test_many_rows_are_written_as_each_alone(opened: Open) -> None:
    """A batch of many, new or over others, leaves what the same writes leave one by one."""
    together, apart = opened(schema=f"s{uuid.uuid4().hex}"), opened(schema=f"s{uuid.uuid4().hex}")
    for generation in range(3):
        rows = _mixed(generation)
        put(together, *rows)
        for each in rows:
            put(apart, each)
    found, expected = (run(each.scan(((),), NOW - timedelta(days=9), 100)) for each in (together, apart))
    assert len(found) == len(expected) == 30
    assert [{name: repr(getattr(row, name)) for name in Row.__slots__} for row in found] == [
        {name: repr(getattr(row, name)) for name in Row.__slots__} for row in expected
    ]


def test_many_new_rows_need_free_places(opened: Open) -> None:
    """Of many rows that expect nothing none is written where one lives already; an expired one is in nobody's way."""
    backend = opened(schema=f"s{uuid.uuid4().hex}")
    rows = [replace(each, expires_at=None) for each in _mixed(0)]
    put(backend, rows[7], replace(rows[8], expires_at=NOW))
    with pytest.raises(Conflict, match="07"):
        put(backend, *rows, expects=None)
    assert run(backend.count(Query(now=NOW))) == 1
    put(backend, *(each for each in rows if each is not rows[7]), expects=None)
    assert run(backend.count(Query(now=NOW))) == 30
