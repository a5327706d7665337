"""Vectors that wait for the vector index are found as those that are in it, and get into it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psycopg
import pytest

from langchain_mem._flow import run
from langchain_mem.backends.base import Address, Query, Row
from langchain_mem.backends.postgres import filling, schema
from langchain_mem.backends.postgres.backend import PostgresBackend
from langchain_mem.backends.postgres.reading import select
from langchain_mem.backends.postgres.sql import Statement
from tests.integration_tests.backends.test_postgres import EMBEDDER, NOW, make, put, unit

FILE = "SELECT pg_relation_filenode('{}.vectors_embedding')"


@pytest.fixture
def backend(postgres_dsn: str) -> Iterator[PostgresBackend]:
    """A backend that asks the index whatever the size of a scope is."""
    backend = PostgresBackend(postgres_dsn, schema=f"fresh_{uuid.uuid4().hex}", exact=0)
    run(backend.setup(EMBEDDER))
    yield backend
    run(backend.close())


def vector(n: int) -> np.ndarray:
    return unit(n + 1, n % 7, n % 11, 3)[None]


def rows(numbers: Sequence[int]) -> list[Row]:
    return [make(Address(("a",), f"{n:04}"), {"n": n}, vectors=vector(n)) for n in numbers]


def waiting(backend: PostgresBackend) -> int:
    (((count,),),) = run(backend.send(backend._writing.fresh(100_000)))
    return int(count)


def nearest(backend: PostgresBackend, limit: int = 20) -> list[tuple[str, float]]:
    found = run(backend.search(Query(now=NOW, vector=vector(5)[0], limit=limit)))
    return [(match.row.address.key, round(match.score or 0.0, 5)) for match in found]


def test_fresh_vectors_are_found_beside_the_others(backend: PostgresBackend) -> None:
    """A broad search gives the same whether vectors wait or not, and they wait where few were written at once."""
    put(backend, *rows(range(200)))
    assert waiting(backend) == 0
    for n in range(200, 230):
        put(backend, *rows([n]))
    put(backend, make(Address(("a",), "0003"), {"n": 3}, vectors=vector(5)))
    assert waiting(backend) == 31
    before = nearest(backend)
    run(backend.send(backend._writing.fill(1_000)))
    assert waiting(backend) == 0
    assert nearest(backend) == before
    assert {"0003", "0005"} == {key for key, _ in before[:2]}


def test_a_search_asks_the_index(backend: PostgresBackend) -> None:
    """The vectors that are in the index are found by it, although others wait."""
    put(backend, *rows(range(300)))
    put(backend, *rows([300]))
    sql = backend._reading.near(select(Query(now=NOW)), vector(5)[0], 10, 0, 20)
    explained = Statement(f"EXPLAIN {sql.query}", sql.parameters)
    *_, plan = run(backend.send(backend._reading.iterate(40), explained))
    assert "vectors_embedding" in str(plan)


def test_many_that_wait_are_taken_in(backend: PostgresBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once more than `MOST` wait, the next who writes has them taken in, while others go on writing them."""
    monkeypatch.setattr(filling, "MOST", 60)
    monkeypatch.setattr(filling, "LOOK", 20)

    def write(part: int) -> None:
        for n in range(part, 160, 4):
            put(backend, *rows([n]))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    for thread in threading.enumerate():
        if thread.name == "langchain-mem-vectors":
            thread.join()
    assert waiting(backend) < 160
    exact = PostgresBackend(backend._pools._dsn, schema=backend.tables.name)
    run(exact.setup(EMBEDDER))
    assert nearest(backend) == nearest(exact)
    assert len(nearest(exact, 1_000)) == 160
    run(exact.close())


def test_a_write_meets_the_filling(backend: PostgresBackend) -> None:
    """Vectors that are replaced while they are taken in are the new ones afterwards."""
    put(backend, *(rows(range(50))))
    stop = threading.Event()

    def fill() -> None:
        while not stop.is_set():
            run(backend.send(backend._writing.fill(5)))

    filler = threading.Thread(target=fill)
    filler.start()
    for round_ in range(1, 4):
        for n in range(50):
            put(backend, make(Address(("a",), f"{n:04}"), {"n": n}, vectors=vector(n + round_)))
    stop.set()
    filler.join()
    found = run(backend.get([Address(("a",), f"{n:04}") for n in range(50)], NOW))
    for n, row in enumerate(found):
        assert row is not None
        np.testing.assert_array_equal(row.vectors, vector(n + 3))


def test_tables_of_before_are_brought_up_to_date(postgres_dsn: str) -> None:
    """Tables whose vectors were all in the index at once answer as before, and their index is not built again."""
    name = f"old_{uuid.uuid4().hex}"
    backend = PostgresBackend(postgres_dsn, schema=name, exact=0)
    with psycopg.connect(postgres_dsn, autocommit=True) as admin:
        admin.execute(f"CREATE SCHEMA {name}")
        admin.execute(f"CREATE TABLE {name}.meta (version int, embedder text, dims int)")
        admin.execute(f"INSERT INTO {name}.meta VALUES (4, 'fake', 8)")
        for statement in [each for steps in schema.MIGRATIONS[:4] for each in steps]:
            admin.execute(statement.format(schema=f'"{name}"'))
        admin.execute(
            f"CREATE INDEX vectors_embedding ON {name}.vectors USING hnsw ((embedding::vector(8)) vector_ip_ops)"
        )
        columns = "namespace, key, value, created_at, updated_at, revision, digests, touches, words"
        values = "'{a}', to_char(n, 'FM0000'), '{}', now(), now(), n, '{}', '{}', ''"
        admin.execute(f"INSERT INTO {name}.items ({columns}) SELECT {values} FROM generate_series(0, 299) n")
        vectors = [(n + 1, 0, str(vector(n)[0].tolist())) for n in range(300)]
        admin.cursor().executemany(f"INSERT INTO {name}.vectors VALUES (%s, %s, %s)", vectors)
        before = admin.execute(FILE.format(name)).fetchone()
        run(backend.setup(EMBEDDER))
        after = admin.execute(FILE.format(name)).fetchone()
    assert before == after
    put(backend, make(Address(("a",), "new"), vectors=vector(5)))
    assert {key for key, _ in nearest(backend)[:2]} == {"0005", "new"}
    run(backend.close())
