"""What `benchmarks.million` copies into Postgres is what `Memory.add` writes there."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from benchmarks.growth_data import Prepared, question
from benchmarks.million_rows import add_owner, fill, index_on, owner, without_slow_indexes
from langchain_mem import LongTermStore, Memory
from langchain_mem.model.records import SearchResult

_CONTENT = """
    SELECT namespace, key, regexp_replace(value::text, '"batch_id":"[^"]*"', '', 'g') AS value, updated_at, expires_at,
        ttl, digests, touches, words::text,
        (SELECT array_agg(coalesce(embedding, fresh)::text ORDER BY position)
        FROM langchain_mem.vectors WHERE item = id) AS vectors
    FROM langchain_mem.items WHERE namespace[3] = 'owner-3' ORDER BY namespace, key
"""
"""All that is stored of an owner, but for what is drawn at random and when it was written."""


def _content(dsn: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(_CONTENT).fetchall()


def _store(dsn: str) -> LongTermStore:
    return LongTermStore.postgres(dsn, index=index_on(Prepared()))


def test_a_copied_owner_is_the_same_row_by_row_as_one_that_was_added(
    fresh_postgres_dsn: str, postgres_dsn: str
) -> None:
    with _store(postgres_dsn) as store, Memory(store, reinforce="none") as memory:
        add_owner(memory, 3)
        memory.purge_expired()  # notes for `undo`, which are older than they are kept
        added = memory.search(question(3), user_id=owner(3), decay=False)

    with _store(fresh_postgres_dsn) as store, Memory(store, reinforce="none") as memory:
        memory.get_all(user_id=owner(3))  # makes the tables
        built: dict[str, float] = {}
        with without_slow_indexes(fresh_postgres_dsn, built):
            fill(fresh_postgres_dsn, range(3, 4))
        copied = memory.search(question(3), user_id=owner(3), decay=False)

    assert _content(fresh_postgres_dsn) == _content(postgres_dsn)
    assert _scores(copied) == pytest.approx(_scores(added), abs=1e-6)
    assert {"items_words", "vectors_embedding"} <= built.keys()


def _scores(found: SearchResult) -> dict[str, float]:
    return {each["id"]: each["score"] for each in found["results"]}
