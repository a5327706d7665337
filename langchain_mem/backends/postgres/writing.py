"""The statements that write rows, many new ones in one statement.

A statement that does not find what its write expects fails, and with it all that is sent beside it: the server calls
the function `expect`, so that a batch takes one round trip.

To take a vector into the HNSW index costs more than all the rest of a write. So the vectors of a small batch are only
stored, in the column `fresh`. `fill` takes them in later, many at a time, and a search by the index compares all that
are still fresh.
"""

# ruff: noqa: S608 - what is put into the text is the checked name of the schema and fragments written here

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np

from langchain_mem.backends.base import ANY, Address, Row, Write, no_vectors
from langchain_mem.backends.postgres.sql import (
    ALIVE,
    GONE_KEPT,
    HERE,
    MICROSECOND,
    VECTOR,
    Statement,
    Tables,
    indexed_type,
)
from langchain_mem.backends.postgres.text import array, dumps, encode, lexemes, literal

_MANY: Final = 8  # rows from which on one statement for all of them is the faster way
_AT_ONCE: Final = 100  # vectors of one batch from which on the index takes them in with the write

_CONTENT: Final = {
    "value": "%(value)s::json",
    "created_at": "%(created_at)s::timestamptz",
    "updated_at": "%(updated_at)s::timestamptz",
    "revision": "%(revision)s::text",
    "expires_at": "%(expires_at)s::timestamptz",
    "ttl": "%(ttl)s::bigint",
    "digests": "%(digests)s::text[]",
    "words": "array_to_tsvector(%(words)s::text[])",
}
"""The columns that a write replaces, and their values."""

# Those on either side, as often as on the side that has them more often; of an expired row nothing is kept.
_MERGED = """
    CASE WHEN i.expires_at <= %(now)s THEN {new} ELSE coalesce((SELECT array_agg(each ORDER BY each) FROM (
        SELECT unnest(i.touches) AS each UNION ALL (SELECT unnest({new}) EXCEPT ALL SELECT unnest(i.touches))
    ) merged), '{{}}') END
"""


def _values(row: Row) -> dict[str, Any]:
    return {
        "value": dumps(row.value),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "revision": row.revision,
        "expires_at": row.expires_at,
        "ttl": None if row.ttl is None else row.ttl // MICROSECOND,
        "digests": literal(row.digests),
        "touches": literal([instant.isoformat() for instant in row.touches]),
        "words": literal(lexemes(row.text)),
    }


_REPLACED: Final = f"""
    ON CONFLICT (item, position) DO UPDATE SET embedding = excluded.embedding, fresh = excluded.fresh
    WHERE {VECTOR} <> excluded.{{column}}
"""
"""A vector in place of another one; where both are the same the index has nothing to do."""


def column_of(batch: Sequence[Write]) -> str:
    """Where the vectors of a batch are written: many at once go into the index, which takes no others at once."""
    counts = [write.row.vectors.shape for write in batch if write.row is not None and len(write.row.vectors)]
    if not counts or sum(count for count, _ in counts) >= _AT_ONCE or indexed_type(counts[0][1]) is None:
        return "embedding"
    return "fresh"


class Writing:
    """The statements that change rows."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def batch(self, batch: Sequence[Write], now: datetime) -> list[Statement]:
        """What does the writes, in order of address within each statement, so that writers seldom wait in a circle.

        Rows that may be new are put by one statement if they are many; Postgres does so in half the time.
        """
        column = column_of(batch)
        ordered = sorted(batch, key=lambda write: write.address)
        alike: dict[bool, list[tuple[Write, Row]]] = {True: [], False: []}
        for write in ordered:
            if write.row is not None and not isinstance(write.expects, str):
                alike[write.expects is ANY].append((write, write.row))
        many = {over: puts for over, puts in alike.items() if len(puts) >= _MANY and _of_one_length(puts)}
        done = {write.address for puts in many.values() for write, _ in puts}
        single = [self._change(write, now, column) for write in ordered if write.address not in done]
        return [*(self._put_many(puts, now, column, over_living=over) for over, puts in many.items()), *single]

    def _change(self, write: Write, now: datetime, column: str) -> Statement:
        """What does one write, if what it expects is there."""
        parameters = {"namespace": array(write.address.namespace), "key": encode(write.address.key), "now": now}
        return self._delete(write, parameters) if write.row is None else self._put(write, write.row, parameters, column)

    def fill(self, limit: int) -> Statement:
        """Takes fresh vectors into the index, passing by those that somebody is writing; a row for each."""
        due = f"SELECT item, position FROM {self._tables.vectors} WHERE embedding IS NULL LIMIT %(limit)s"
        query = f"""
            WITH due AS MATERIALIZED ({due} FOR UPDATE SKIP LOCKED)
            UPDATE {self._tables.vectors} v SET embedding = v.fresh, fresh = NULL
            FROM due WHERE v.item = due.item AND v.position = due.position AND v.embedding IS NULL RETURNING 1
        """
        return Statement(query, {"limit": limit})

    def fresh(self, limit: int) -> Statement:
        """How many vectors the index has not taken in, counted up to `limit`."""
        some = f"SELECT FROM {self._tables.vectors} WHERE embedding IS NULL LIMIT %(limit)s"
        return Statement(f"SELECT count(*) FROM ({some}) counted", {"limit": limit})

    def touch(self, touches: Mapping[Address, Sequence[datetime]], keep: int) -> Statement:
        """Adds instants to rows' touches, keeps the newest, and notes it for other processes.

        Rows are locked in order of address, as all writers do.
        """
        query = f"""
            WITH used AS MATERIALIZED (
                SELECT i.id, wanted.instants::timestamptz[] AS instants
                FROM unnest(%(namespaces)s::text[], %(keys)s::text[], %(instants)s::text[])
                    AS wanted(namespace, key, instants)
                JOIN {self._tables.items} i ON i.namespace = wanted.namespace::text[] AND i.key = wanted.key
                ORDER BY i.namespace, i.key FOR NO KEY UPDATE OF i
            ),
            touched AS (
                UPDATE {self._tables.items} i SET touches = (
                    SELECT coalesce(array_agg(each ORDER BY each), '{{}}') FROM (
                        SELECT each FROM unnest(i.touches || used.instants) AS each ORDER BY each DESC LIMIT %(keep)s
                    ) newest
                ) FROM used WHERE i.id = used.id RETURNING i.id, i.namespace, used.instants
            )
            INSERT INTO {self._tables.used} (scope, keep, uses)
            SELECT {self._tables.schema}.scope_of(namespace), %(keep)s, json_agg(json_build_array(id, instants))
            FROM touched GROUP BY 1
        """
        ordered = sorted(touches)
        given = {
            "namespaces": literal(array(address.namespace) for address in ordered),
            "keys": literal(encode(address.key) for address in ordered),
            "instants": literal(literal([each.isoformat() for each in touches[address]]) for address in ordered),
        }
        return Statement(query, {**given, "keep": keep})

    def refresh(self, addresses: Sequence[Address], now: datetime) -> Statement:
        """Moves sliding expiries; rows are locked in order of address, as all writers do."""
        here = self._tables.at(addresses)
        due = f"""
            SELECT i.id FROM {here.query} WHERE i.ttl IS NOT NULL AND i.expires_at > %(now)s
            ORDER BY i.namespace, i.key FOR UPDATE OF i
        """
        query = f"""
            WITH due AS MATERIALIZED ({due})
            UPDATE {self._tables.items} i SET write = DEFAULT, changed = DEFAULT,
                expires_at = %(now)s + i.ttl * interval '1 microsecond'
            FROM due WHERE i.id = due.id
        """
        return Statement(query, {**here.parameters, "now": now})

    def purge(self, now: datetime, limit: int | None) -> Statement:
        """Removes expired rows, passing by those that somebody is writing; says which."""
        expired = (
            f"SELECT id FROM {self._tables.items} WHERE expires_at <= %(now)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED"
        )
        delete = f"DELETE FROM {self._tables.items} i USING expired WHERE i.id = expired.id RETURNING i.id"
        return Statement(f"WITH expired AS MATERIALIZED ({expired}) {delete}", {"now": now, "limit": limit})

    def forget_gone(self) -> list[Statement]:
        """Drops the notes of long ago: every process that still runs has asked since, or asks anew.

        A kept index counts for longer if nothing was removed, so the uses since it was made are noted for as long.
        """
        old = "at < now() - %(kept)s::interval"
        kept = f"SELECT FROM {self._tables.kept} k WHERE k.scopes @> ARRAY[u.scope] AND k.at <= u.at"
        return [
            Statement(f"DELETE FROM {self._tables.gone} WHERE {old}", {"kept": GONE_KEPT}),
            Statement(f"DELETE FROM {self._tables.used} u WHERE {old} AND NOT EXISTS ({kept})", {"kept": GONE_KEPT}),
        ]

    def _delete(self, write: Write, parameters: dict[str, Any]) -> Statement:
        if write.expects is None:
            absent = f"NOT EXISTS (SELECT FROM {self._tables.items} i WHERE {HERE} AND {ALIVE})"
            return Statement(f"SELECT {self._expect(absent)}", parameters)
        delete = f"DELETE FROM {self._tables.items} i WHERE {HERE}"
        if write.expects is ANY:
            return Statement(delete, parameters)
        went = f"{delete} AND {ALIVE} AND i.revision = %(expects)s RETURNING 1"
        query = f"WITH went AS ({went}) SELECT {self._expect('EXISTS (SELECT FROM went)')}"
        return Statement(query, {**parameters, "expects": write.expects})

    def _expect(self, there: str, key: str = "%(key)s::text") -> str:
        """Fails where something is not there, and names the row by its key."""
        return f"{self._tables.schema}.expect({there}, {key})"

    def _put(self, write: Write, row: Row, parameters: dict[str, Any], column: str) -> Statement:
        """A row and its vectors in one statement; those that stay the same cost the index nothing."""
        put = self._update() if isinstance(write.expects, str) else self._upsert(over_living=write.expects is ANY)
        query = f"""
            WITH put AS ({put}),
            gone AS (DELETE FROM {self._tables.vectors} v USING put WHERE v.item = put.id AND v.position >= %(count)s),
            placed AS (
                INSERT INTO {self._tables.vectors} AS v (item, position, {column})
                SELECT put.id, n, (%(flat)s::float4[])[n * %(dims)s + 1 : (n + 1) * %(dims)s]::vector
                FROM put, generate_series(0, %(count)s - 1) AS n
                {_REPLACED.format(column=column)}
            )
            SELECT {"1" if write.expects is ANY else self._expect("EXISTS (SELECT FROM put)")}
        """
        count, dims = row.vectors.shape
        vectors = {"count": count, "dims": dims, "flat": row.vectors.reshape(-1)}
        expected = {"expects": write.expects if isinstance(write.expects, str) else None}
        return Statement(query, {**parameters, **_values(row), **expected, **vectors})

    def _put_many(
        self, puts: Sequence[tuple[Write, Row]], now: datetime, column: str, *, over_living: bool
    ) -> Statement:
        """Rows and their vectors in one statement, as `_put` does it for one."""
        changed = ", ".join(f"{name} = excluded.{name}" for name in (*_CONTENT, "write", "changed"))
        columns = ", ".join(_CONTENT)
        missing = "(SELECT key FROM given WHERE n NOT IN (SELECT n FROM known) ORDER BY n LIMIT 1) missing"
        answer = "count(*) FROM known" if over_living else f"{self._expect('FALSE', 'key')} FROM {missing}"
        query = f"""
            WITH given AS MATERIALIZED (
                SELECT n, namespace::text[], key, touches::timestamptz[], value::json, created_at, updated_at, revision,
                    expires_at, ttl, digests::text[], array_to_tsvector(words::text[]) AS words, count, first
                FROM unnest(%(namespaces)s::text[], %(keys)s::text[], %(touches)s::text[], %(values)s::text[],
                    %(created)s::timestamptz[], %(updated)s::timestamptz[], %(revisions)s::text[],
                    %(expires)s::timestamptz[], %(ttls)s::bigint[], %(digests)s::text[], %(words)s::text[],
                    %(counts)s::int[], %(firsts)s::int[])
                WITH ORDINALITY AS each(namespace, key, touches, value, created_at, updated_at, revision, expires_at,
                    ttl, digests, words, count, first, n)
            ),
            put AS (
                INSERT INTO {self._tables.items} AS i (namespace, key, touches, {columns})
                SELECT namespace, key, touches, {columns} FROM given ORDER BY n
                ON CONFLICT (namespace, key) DO UPDATE
                SET {changed}, touches = {_MERGED.format(new="excluded.touches")}
                WHERE {"TRUE" if over_living else "i.expires_at <= %(now)s"}
                RETURNING i.id, i.namespace, i.key, i.xmax = 0 AS fresh
            ),
            known AS MATERIALIZED (SELECT id, n, count, first, fresh FROM put JOIN given USING (namespace, key)),
            gone AS (
                DELETE FROM {self._tables.vectors} v WHERE v.item = ANY (ARRAY(SELECT id FROM known WHERE NOT fresh))
                AND v.position >= (SELECT count FROM known WHERE id = v.item)
            ),
            placed AS (
                INSERT INTO {self._tables.vectors} AS v (item, position, {column})
                SELECT id, at, (%(flat)s::float4[])[(first + at) * %(dims)s + 1 : (first + at + 1) * %(dims)s]::vector
                FROM known, generate_series(0, count - 1) AS at
                {_REPLACED.format(column=column)}
            )
            SELECT {answer}
        """
        return Statement(query, {"now": now, **_columns(puts)})

    def _upsert(self, *, over_living: bool) -> str:
        changed = ", ".join(f"{name} = excluded.{name}" for name in (*_CONTENT, "write", "changed"))
        touches = _MERGED.format(new="excluded.touches")
        return f"""
            INSERT INTO {self._tables.items} AS i (namespace, key, touches, {", ".join(_CONTENT)})
            VALUES (%(namespace)s::text[], %(key)s::text, %(touches)s::timestamptz[], {", ".join(_CONTENT.values())})
            ON CONFLICT (namespace, key) DO UPDATE SET {changed}, touches = {touches}
            WHERE {"TRUE" if over_living else "i.expires_at <= %(now)s"} RETURNING i.id
        """

    def _update(self) -> str:
        changed = ", ".join(f"{name} = {value}" for name, value in _CONTENT.items())
        touches = _MERGED.format(new="%(touches)s::timestamptz[]")
        return f"""
            UPDATE {self._tables.items} i SET {changed}, write = DEFAULT, changed = DEFAULT, touches = {touches}
            WHERE {HERE} AND {ALIVE} AND i.revision = %(expects)s RETURNING i.id
        """


def _of_one_length(puts: Sequence[tuple[Write, Row]]) -> bool:
    """Whether all vectors that there are have the same length."""
    return len({row.vectors.shape[1] for _, row in puts if len(row.vectors)}) < 2


def _columns(puts: Sequence[tuple[Write, Row]]) -> dict[str, Any]:
    """Rows as arrays, one a column. An array of arrays of different lengths, which SQL lacks, is one of their texts.

    Arrays of texts are written here: psycopg replaces what is to be quoted sign by sign in Python, which takes longer
    than all the rest for texts that are arrays themselves.
    """
    rows = [row for _, row in puts]
    counts = [len(row.vectors) for row in rows]
    present = [row.vectors for row in rows if len(row.vectors)]
    vectors = np.concatenate(present) if present else no_vectors()
    told = [_values(row) for row in rows]
    return {
        "namespaces": literal(array(write.address.namespace) for write, _ in puts),
        "keys": literal(encode(write.address.key) for write, _ in puts),
        "touches": literal(each["touches"] for each in told),
        "values": literal(each["value"] for each in told),
        "created": [row.created_at for row in rows],
        "updated": [row.updated_at for row in rows],
        "revisions": literal(row.revision for row in rows),
        "expires": [row.expires_at for row in rows],
        "ttls": [each["ttl"] for each in told],
        "digests": literal(each["digests"] for each in told),
        "words": literal(each["words"] for each in told),
        "counts": counts,
        "firsts": [0, *itertools.accumulate(counts)][:-1],
        "dims": vectors.shape[1],
        "flat": vectors.reshape(-1),
    }
