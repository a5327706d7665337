"""Fills the store of `million`: the package makes the rows, and `COPY` takes them into Postgres.

`Memory.add` writes each owner's memories to a store in memory. The rows that lie there then are those that it would
have written to Postgres, but for random names of batches and revisions. They are copied many at once, which skips what
only a store in use needs: the look whether a row is there already, and a statement for each `add`. The indexes on words
and vectors are dropped before and built afterwards; those on addresses stay.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import psycopg

from benchmarks.growth_data import DIMS, Prepared, sentence
from langchain_mem import LongTermStore, Memory
from langchain_mem._flow import run
from langchain_mem.backends.base import Row
from langchain_mem.backends.postgres.sql import MICROSECOND, labels_of
from langchain_mem.backends.postgres.text import dumps, encode, lexemes, literal

EACH: Final = 100
"""Memories of an owner."""
SESSION: Final = 20
"""Memories that are added at once."""
AT_ONCE: Final = 50
"""Owners in one transaction."""
CATEGORIES: Final = ("work", "family", "travel", "food", "health")
SLOW: Final = ("items_words", "vectors_embedding")
"""The indexes that are built afterwards."""

_FIRST_DAY: Final = datetime(2026, 1, 1, 9, tzinfo=UTC)
_COLUMNS: Final = (
    "id, namespace, key, value, created_at, updated_at, revision, expires_at, ttl, digests, touches, words"
)
_VECTOR: Final = np.dtype([
    ("fields", ">i2"), ("item_bytes", ">i4"), ("item", ">i8"), ("position_bytes", ">i4"), ("position", ">i4"),
    ("vector_bytes", ">i4"), ("dims", ">i2"), ("unused", ">i2"), ("vector", ">f4", DIMS),
])  # fmt: skip
"""A row of the table `vectors` in the binary form of `COPY`, with a vector in pgvector's."""
_BEGINS, _ENDS = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


def add_owner(memory: Memory, number: int) -> None:
    """Gives an owner its memories by `add`, in sessions on several days, each of a category."""
    for session in range(EACH // SESSION):
        first = number * EACH + session * SESSION
        memory.add(
            [sentence(each) for each in range(first, first + SESSION)],
            user_id=owner(number),
            infer=False,
            categories=[CATEGORIES[session % len(CATEGORIES)]],
            metadata={"session": session, "rating": first // SESSION % 7},
            timestamp=_FIRST_DAY + timedelta(days=31 * session + number % 31),
        )


def owner(number: int) -> str:
    """The name of an owner."""
    return f"owner-{number}"


def index_on(prepared: Prepared) -> Any:
    """How the store is indexed, in memory as in Postgres."""
    return {"dims": DIMS, "embed": prepared, "fields": ["text"]}


def rows_of(owners: Sequence[int], prepared: Prepared) -> list[Row]:
    """The rows that `add` writes for some owners."""
    store = LongTermStore.in_memory(index=index_on(prepared))
    memory = Memory(store, cache_bytes=0)
    for number in owners:
        add_owner(memory, number)
    rows = run(store.items.backend.scan(((),), datetime.now(UTC), len(owners) * EACH * 2))
    memory.close()
    return rows


def copy_rows(connection: psycopg.Connection[Any], rows: Sequence[Row]) -> None:
    """Copies rows and their vectors into the tables of `langchain_mem`."""
    numbers = "SELECT nextval(pg_get_serial_sequence('langchain_mem.items', 'id')) FROM generate_series(1, %s)"
    ids = [number for (number,) in connection.execute(numbers, (len(rows),))]
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY langchain_mem.items ({_COLUMNS}) FROM STDIN") as copy:
            for number, row in zip(ids, rows, strict=True):
                copy.write_row((number, *_written(row)))
        with cursor.copy("COPY langchain_mem.vectors (item, position, embedding) FROM STDIN (FORMAT binary)") as copy:
            copy.write(_BEGINS + _vectors(ids, rows) + _ENDS)


def fill(dsn: str, owners: range) -> None:
    """Fills those of some owners that are not filled yet, a transaction for some of them."""
    prepared = Prepared()
    with psycopg.connect(dsn) as connection:
        for first in range(owners.start, owners.stop, AT_ONCE):
            start, spent = time.perf_counter(), time.process_time()
            if connection.execute("SELECT FROM filled WHERE first = %s", (first,)).fetchone():
                continue
            copy_rows(connection, rows_of(range(first, min(first + AT_ONCE, owners.stop)), prepared))
            times = time.perf_counter() - start, time.process_time() - spent
            connection.execute("INSERT INTO filled VALUES (%s, %s, %s)", (first, *times))
            connection.commit()


@contextmanager
def without_slow_indexes(dsn: str, built: dict[str, float]) -> Iterator[None]:
    """Drops the indexes that are slow to update, and builds them again at the end; `built` gets the seconds of each.

    Their definitions are kept in a table, so that a fill that was broken off may go on.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS filled (first int PRIMARY KEY, wall_s float8, cpu_s float8)")
        connection.execute("CREATE TABLE IF NOT EXISTS dropped (name text PRIMARY KEY, definition text)")
        connection.execute(
            "INSERT INTO dropped SELECT indexname, indexdef FROM pg_indexes"
            " WHERE schemaname = 'langchain_mem' AND indexname = ANY (%s) ON CONFLICT DO NOTHING",
            (list(SLOW),),
        )
        for name in SLOW:
            connection.execute(f"DROP INDEX IF EXISTS langchain_mem.{name}")
    yield
    with psycopg.connect(dsn, autocommit=True) as connection:
        for name, definition in connection.execute("SELECT name, definition FROM dropped ORDER BY name").fetchall():
            start = time.perf_counter()
            connection.execute(definition)
            built[name] = round(time.perf_counter() - start, 1)
        connection.execute("DROP TABLE dropped")
        start = time.perf_counter()
        connection.execute("VACUUM (ANALYZE) langchain_mem.items, langchain_mem.vectors")
        built["vacuum"] = round(time.perf_counter() - start, 1)


def _written(row: Row) -> tuple[Any, ...]:
    """The values of `_COLUMNS` without the number, as the store's own statements give them."""
    return (
        literal(labels_of(row.address.namespace)),
        encode(row.address.key),
        dumps(row.value),
        row.created_at,
        row.updated_at,
        row.revision,
        row.expires_at,
        None if row.ttl is None else row.ttl // MICROSECOND,
        literal(row.digests),
        literal([instant.isoformat() for instant in row.touches]),
        " ".join("'" + word.replace("\\", "\\\\").replace("'", "''") + "'" for word in lexemes(row.text)),
    )


def _vectors(ids: Sequence[int], rows: Sequence[Row]) -> bytes:
    places = [(number, at) for number, row in zip(ids, rows, strict=True) for at in range(len(row.vectors))]
    copied = np.zeros(len(places), dtype=_VECTOR)
    copied["fields"], copied["dims"] = 3, DIMS
    copied["item_bytes"], copied["position_bytes"], copied["vector_bytes"] = 8, 4, 4 + 4 * DIMS
    if places:
        copied["item"], copied["position"] = zip(*places, strict=True)
        copied["vector"] = np.concatenate([row.vectors for row in rows if len(row.vectors)])
    return copied.tobytes()
