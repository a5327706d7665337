"""Everything that is said to Postgres: the schema, its migrations, and one method for each statement.

Nothing here runs anything. A `Statement` is text and parameters, so that what is sent can be read, tested and explained
by itself. Needs Postgres 14 and pgvector 0.8, or later.

Namespaces are `text[]`, compared label by label in the order of code points. All that begin with `(a, b)` stand
together in that order, from `(a, b)` itself up to and without `(a, b + U+0001)`: U+0001 ends no label (see
`text`). So one range of one index is exactly one scope, by whole labels, and touches nobody else's rows.
"""

# ruff: noqa: S608 - what is put into the text is the checked name of the schema and fragments written here

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from langchain_mem.backends.base import ANY, WILDCARD, Address, Embedder, Namespace, NamespaceQuery, Query, Row, Write
from langchain_mem.backends.postgres.schema import MIGRATIONS, VERSION
from langchain_mem.backends.postgres.text import array, dumps, encode
from langchain_mem.backends.postgres.where import Compiler
from langchain_mem.errors import InvalidRequest, shown
from langchain_mem.filters.conditions import Path

VECTOR_LIMIT: Final = 2_000
"""Dimensions up to which pgvector's HNSW takes `vector` …"""

HALFVEC_LIMIT: Final = 4_000
"""… and `halfvec`, 16-bit floats. Vectors with more are searched exactly, without an index."""

MICROSECOND: Final = timedelta(microseconds=1)

GONE_KEPT: Final = timedelta(days=1)
"""How long it is noted that an item was removed. Whoever has not asked for so long takes a scope anew."""

_SCHEMA = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_WORD = re.compile(r"\w+")
_LEXEME_BYTES = 2_046  # what Postgres takes as one lexeme …
_LEXEMES_BYTES = 1_000_000  # … and, a little below its limit, as all those of one text


class Statement(NamedTuple):
    """What to say, and the values that it refers to as `%(name)s`."""

    query: str
    parameters: Mapping[str, Any] = {}


class WriteStatement(NamedTuple):
    """The statement of one write. It finds a row exactly when what the write expects is there."""

    address: Address
    statement: Statement
    conditional: bool


@dataclass(frozen=True)
class Selection:
    """A query as SQL: which rows of `items AS i`, and whether `matches` has to finish it."""

    where: str
    parameters: Mapping[str, Any]
    exact: bool


def select(query: Query) -> Selection:
    """Which rows a query may return: scope, keys, expiry and condition."""
    compiler = Compiler("i.fields")
    parts = [compiler.compile(query.condition), _ALIVE]
    scope, parameters = _scope(query.prefixes)
    parameters["now"] = query.now
    if query.keys is not None:
        parts.append("i.key = ANY(%(keys)s::text[])")
        parameters["keys"] = sorted(map(encode, query.keys))
    return Selection(" AND ".join([scope, *parts]), parameters | compiler.parameters, compiler.exact)


def lexemes(text: str) -> list[str]:
    """The distinct words of a text in lower case, encoded, as many as one `tsvector` holds."""
    words = (encode(word) for word in dict.fromkeys(_WORD.findall(text.lower())))
    kept, room = [], _LEXEMES_BYTES
    for word in words:
        size = len(word.encode())
        if size <= min(room, _LEXEME_BYTES):
            kept.append(word)
            room -= size
    return kept


def indexed_type(dims: int) -> str | None:
    """The type under which vectors of this length are in the HNSW index; `None` where there is no index for them."""
    if dims <= VECTOR_LIMIT:
        return f"vector({dims})"
    return f"halfvec({dims})" if dims <= HALFVEC_LIMIT else None


class Statements:
    """The statements, for tables in one schema.

    Args:
        schema: Its name: letters, digits and `_`, at most 63.
    """

    def __init__(self, schema: str) -> None:
        if not _SCHEMA.fullmatch(schema):
            raise InvalidRequest(f"`schema` is {shown(schema)}; it takes ASCII letters, digits and `_`, at most 63.")
        self._name = schema
        self._schema = f'"{schema}"'
        self._items = f"{self._schema}.items"
        self._vectors = f"{self._schema}.vectors"
        self._meta = f"{self._schema}.meta"
        self._columns = (
            "i.namespace, i.key, i.value::text, i.created_at, i.updated_at, i.revision, i.expires_at, i.ttl, i.digests,"
            " i.touches, (SELECT string_agg(vector_send(v.embedding), ''::bytea ORDER BY v.position)"
            f" FROM {self._vectors} v WHERE v.item = i.id)"
        )

    # Setting up

    def lock(self) -> Statement:
        """Lets one process at a time migrate; the rest wait here until its transaction ends."""
        key = {"name": f"langchain_mem.{self._schema}"}
        return Statement("SELECT pg_advisory_xact_lock(hashtextextended(%(name)s::text, 0))", key)

    def has_meta(self) -> Statement:
        """Whether anything was ever set up here: by the catalog, for `to_regclass` answers from a session's memory."""
        tables = "SELECT FROM pg_catalog.pg_tables WHERE schemaname = %(schema)s AND tablename = 'meta'"
        return Statement(f"SELECT EXISTS ({tables})", {"schema": self._name})

    def meta(self) -> Statement:
        """The schema's version and the embedder: (version, name, dims)."""
        return Statement(f"SELECT version, embedder, dims FROM {self._meta}")

    def create_meta(self) -> list[Statement]:
        """Makes the schema and its first table, of one row."""
        columns = "version int NOT NULL, embedder text, dims int, one boolean PRIMARY KEY DEFAULT TRUE CHECK (one)"
        return [
            Statement(f"CREATE SCHEMA IF NOT EXISTS {self._schema}"),
            Statement(f"CREATE TABLE {self._meta} ({columns})"),
            Statement(f"INSERT INTO {self._meta} (version) VALUES (0)"),
        ]

    def migrate(self, version: int) -> list[Statement]:
        """Brings tables of this version up to `VERSION`."""
        pending = [step.format(schema=self._schema) for steps in MIGRATIONS[version:] for step in steps]
        done = Statement(f"UPDATE {self._meta} SET version = %(version)s", {"version": VERSION})
        return [*map(Statement, pending), done]

    def adopt(self, embedder: Embedder) -> list[Statement]:
        """Records whose vectors will come, and makes the index for them while the table is empty."""
        record = f"UPDATE {self._meta} SET embedder = %(name)s, dims = %(dims)s"
        statements = [Statement(record, {"name": encode(embedder.name), "dims": embedder.dims})]
        if kind := indexed_type(embedder.dims):
            operators = f"{kind.partition('(')[0]}_ip_ops"  # of unit vectors the inner product is the cosine
            index = f"CREATE INDEX vectors_embedding ON {self._vectors} USING hnsw ((embedding::{kind}) {operators})"
            statements.append(Statement(index))
        return statements

    # Reading

    def get(self, addresses: Sequence[Address], now: datetime) -> Statement:
        """The unexpired rows at these addresses, in no order."""
        return Statement(
            f"SELECT {self._columns} FROM {self._at(addresses)} WHERE {_ALIVE}",
            {**_at(addresses), "now": now},
        )

    def newest(self, selection: Selection, limit: int | None, offset: int) -> Statement:
        """The newest rows first: columns and no score."""
        page = f"SELECT i.id FROM {self._items} i WHERE {selection.where} {_NEWEST} {_PAGE}"
        query = f"SELECT {self._columns}, NULL FROM ({page}) page JOIN {self._items} i USING (id) {_NEWEST}"
        return Statement(query, {**selection.parameters, "limit": limit, "offset": offset})

    def nearest(self, selection: Selection, vector: NDArray[np.float32], limit: int | None, offset: int) -> Statement:
        """The rows with the greatest cosine, of all in scope: columns and score.

        Vectors are looked up item by item, for a join might read those of everybody.
        """
        query = f"""
            WITH scoped AS MATERIALIZED (SELECT i.id, i.namespace, i.key FROM {self._items} i WHERE {selection.where}),
            page AS (
                SELECT i.id, -distance AS score FROM scoped i CROSS JOIN LATERAL (
                    SELECT min(v.embedding <#> %(vector)s::float4[]::vector) AS distance
                    FROM {self._vectors} v WHERE v.item = i.id
                ) best WHERE distance IS NOT NULL {_BEST} {_PAGE}
            )
            SELECT {self._columns}, score FROM page JOIN {self._items} i USING (id) {_BEST}
        """
        return Statement(query, {**selection.parameters, "vector": vector, "limit": limit, "offset": offset})

    def near(self, selection: Selection, vector: NDArray[np.float32], limit: int, offset: int, near: int) -> Statement:
        """The same by the HNSW index, out of the `near` nearest vectors: columns, score, and how many it found.

        An item counts once, by the best of its vectors, which comes first.
        """
        kind = indexed_type(len(vector))
        query = f"""
            WITH near AS MATERIALIZED (
                SELECT v.item, v.embedding <#> %(vector)s::float4[]::vector AS distance
                FROM {self._vectors} v JOIN {self._items} i ON i.id = v.item WHERE {selection.where}
                ORDER BY v.embedding::{kind} <#> %(vector)s::float4[]::{kind} LIMIT %(near)s
            ),
            best AS (SELECT item, -min(distance) AS score FROM near GROUP BY item)
            SELECT {self._columns}, score, (SELECT count(*) FROM near)
            FROM best JOIN {self._items} i ON i.id = best.item {_BEST} {_PAGE}
        """
        parameters = {"vector": vector, "limit": limit, "offset": offset, "near": near}
        return Statement(query, {**selection.parameters, **parameters})

    def iterate(self, ef_search: int) -> Statement:
        """For this transaction: the HNSW index is used, and yields until the limit is filled, nearest first.

        The breadth stays the same whatever the limit, so that pages are parts of one order.
        """
        settings = {
            "hnsw.iterative_scan": "strict_order",
            "hnsw.ef_search": str(ef_search),
            "enable_sort": "off",  # else the planner may prefer to sort the whole scope
        }
        calls = ", ".join(f"set_config('{name}', '{value}', TRUE)" for name, value in settings.items())
        return Statement(f"SELECT {calls}")

    def lexical(self, selection: Selection, words: Sequence[str], limit: int | None, offset: int) -> Statement:
        """The rows that hold one of the words: columns and score.

        A row scores `ln(1 + N / n)` for each word that it holds, one that `n` of the `N` found rows hold.
        """
        query = f"""
            WITH wanted AS MATERIALIZED (SELECT word, word::tsquery AS query FROM unnest(%(words)s::text[]) AS word),
            found AS MATERIALIZED (
                SELECT i.id, i.namespace, i.key, i.words FROM {self._items} i
                WHERE {selection.where} AND i.words @@ %(any)s::tsquery
            ),
            held AS (SELECT i.id, i.namespace, i.key, word FROM found i JOIN wanted ON i.words @@ query),
            rarity AS (SELECT word, ln(1 + (SELECT count(*) FROM found)::float8 / count(*)) AS weight
                FROM held GROUP BY word),
            page AS (
                SELECT i.id, sum(weight ORDER BY word) AS score FROM held i JOIN rarity USING (word)
                GROUP BY i.id, i.namespace, i.key {_BEST} {_PAGE}
            )
            SELECT {self._columns}, score FROM page JOIN {self._items} i USING (id) {_BEST}
        """
        quoted = [_quoted(word) for word in words]
        parameters = {"words": quoted, "any": " | ".join(quoted), "limit": limit, "offset": offset}
        return Statement(query, {**selection.parameters, **parameters})

    def count(self, selection: Selection, limit: int | None = None) -> Statement:
        """How many rows a selection has, counted up to `limit`."""
        rows = f"SELECT FROM {self._items} i WHERE {selection.where} LIMIT %(limit)s"
        return Statement(f"SELECT count(*) FROM ({rows}) counted", {**selection.parameters, "limit": limit})

    def values(self, selection: Selection) -> Statement:
        """The values of a selection, for what only `matches` can count."""
        return Statement(f"SELECT i.value::text FROM {self._items} i WHERE {selection.where}", selection.parameters)

    def scan(self, prefixes: Sequence[Namespace], now: datetime, limit: int) -> Statement:
        """How many rows are in scope, and unless they are over `limit` their columns, in order of address."""
        scope, parameters = _scope(prefixes)
        scoped = f"SELECT * FROM {self._items} i WHERE {scope} AND {_ALIVE}"
        query = f"""
            SELECT size.total, {self._columns}
            FROM (SELECT count(*) AS total FROM ({scoped} LIMIT %(limit)s + 1) counted) size
            LEFT JOIN ({scoped}) i ON size.total <= %(limit)s ORDER BY i.namespace, i.key
        """
        return Statement(query, {**parameters, "now": now, "limit": limit})

    def stamp(self, prefixes: Sequence[Namespace]) -> Statement:
        """How many rows are in scope, and their last writes hashed together: out of the index alone."""
        scope, parameters = _scope(prefixes)
        hashed = "coalesce(bit_xor(hashint8extended(i.write, 0)), 0)"
        return Statement(f"SELECT count(*), {hashed} FROM {self._items} i WHERE {scope}", parameters)

    def changes(self, scopes: Sequence[Namespace], paths: Sequence[Path], since: str | None, limit: int) -> Statement:
        """What was written in scopes of three labels since a snapshot, in one row.

        Columns: the snapshot now; how many rows there are, up to `limit` + 1; the items that went; the rows as one JSON
        array, each with its item's number and whether it has a vector; and those vectors, one after the other.

        A transaction that was not visible in the old snapshot and is in the new one has committed between them,
        whatever its number: so nothing is missed that began before and ended after, and nobody waits for anybody. A
        number beyond the new snapshot comes from another server, whose dump this is, and says nothing here.
        """
        parameters: dict[str, Any] = {"limit": limit, "scopes": [array(scope) for scope in scopes], "since": since}
        fresh = _FRESH if since is not None else "TRUE"
        here = " OR ".join(f"i.namespace[1:3] = %(scope_{number})s::text[]" for number in range(len(scopes)))
        parameters |= {f"scope_{number}": _labels(scope) for number, scope in enumerate(scopes)}
        compiler = Compiler("i.fields", parameters)
        expiry = "(extract(epoch FROM i.expires_at) * 1000000)::bigint"
        told = ["i.id", "i.namespace", "i.key", expiry, "v.item IS NOT NULL"]
        columns = ", ".join([*told, *(compiler.value(path) for path in paths)])
        query = f"""
            WITH found AS MATERIALIZED (
                SELECT i.id, i.namespace, i.key, i.expires_at, i.fields FROM {self._items} i
                WHERE ({here}) AND {fresh.format(changed="i.changed")} LIMIT %(limit)s + 1
            ),
            size AS (SELECT count(*) AS total FROM found)
            SELECT pg_current_snapshot()::text, size.total, {self._gone(fresh)}, told.rows::text, told.vectors
            FROM size LEFT JOIN LATERAL (
                SELECT json_agg(json_build_array({columns}) ORDER BY i.id) AS rows,
                    string_agg(vector_send(v.embedding), ''::bytea ORDER BY i.id) AS vectors
                FROM found i LEFT JOIN {self._vectors} v ON v.item = i.id AND v.position = 0
            ) told ON size.total <= %(limit)s
        """
        return Statement(query, parameters)

    def _gone(self, fresh: str) -> str:
        if fresh == "TRUE":
            return "NULL"
        scopes = f"SELECT {self._schema}.scope_of(each::text[]) FROM unnest(%(scopes)s::text[]) AS each"
        gone = f"g.scope IN ({scopes}) AND {fresh.format(changed='g.changed')}"
        return f"(SELECT array_agg(g.item) FROM {self._schema}.gone g WHERE {gone})"

    def namespaces(self, query: NamespaceQuery) -> Statement:
        """The namespaces that a query describes, in order."""
        parts, parameters = _pattern(query)
        cut = "i.namespace" if query.max_depth is None else "i.namespace[1:%(depth)s]"
        text = f"""
            SELECT DISTINCT {cut} AS cut FROM {self._items} i
            WHERE {_ALIVE} AND {parts} ORDER BY cut {_PAGE}
        """
        page = {"now": query.now, "depth": query.max_depth, "limit": query.limit, "offset": query.offset}
        return Statement(text, {**parameters, **page})

    # Writing

    def change(self, write: Write, now: datetime) -> WriteStatement:
        """What does one write, if what it expects is there."""
        parameters = {"namespace": _labels(write.address.namespace), "key": encode(write.address.key), "now": now}
        return self._delete(write, parameters) if write.row is None else self._put(write, write.row, parameters)

    def touch(self, address: Address, instants: Sequence[datetime], keep: int) -> Statement:
        """Adds instants to a row's touches and keeps the newest."""
        every = "unnest(i.touches || %(touches)s::timestamptz[])"
        newest = f"SELECT each FROM {every} AS each ORDER BY each DESC LIMIT %(keep)s"
        kept = f"SELECT array_agg(each ORDER BY each) FROM ({newest}) newest"
        query = f"UPDATE {self._items} i SET touches = coalesce(({kept}), '{{}}') WHERE {_HERE}"
        where = {"namespace": _labels(address.namespace), "key": encode(address.key)}
        return Statement(query, {**where, "touches": list(instants), "keep": keep})

    def refresh(self, addresses: Sequence[Address], now: datetime) -> Statement:
        """Moves sliding expiries; rows are locked in order of address, as all writers do."""
        due = f"""
            SELECT i.id FROM {self._at(addresses)} WHERE i.ttl IS NOT NULL AND i.expires_at > %(now)s
            ORDER BY i.namespace, i.key FOR UPDATE OF i
        """
        query = f"""
            WITH due AS MATERIALIZED ({due})
            UPDATE {self._items} i SET write = DEFAULT, changed = DEFAULT,
                expires_at = %(now)s + i.ttl * interval '1 microsecond'
            FROM due WHERE i.id = due.id
        """
        return Statement(query, {**_at(addresses), "now": now})

    def purge(self, now: datetime, limit: int | None) -> Statement:
        """Removes expired rows, passing by those that somebody is writing; says which."""
        expired = f"SELECT id FROM {self._items} WHERE expires_at <= %(now)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED"
        delete = f"DELETE FROM {self._items} i USING expired WHERE i.id = expired.id RETURNING i.id"
        return Statement(f"WITH expired AS MATERIALIZED ({expired}) {delete}", {"now": now, "limit": limit})

    def forget_gone(self) -> Statement:
        """Drops the notes on items that went long ago: every process that still runs has asked since, or asks anew."""
        return Statement(f"DELETE FROM {self._schema}.gone WHERE at < now() - %(kept)s::interval", {"kept": GONE_KEPT})

    def vacuum(self) -> Statement:
        """Rewrites tables and indexes from what lives. Locks them, and runs in no transaction."""
        return Statement(f"VACUUM (FULL, ANALYZE) {self._items}, {self._vectors}")

    def _delete(self, write: Write, parameters: dict[str, Any]) -> WriteStatement:
        if write.expects is None:
            absent = f"SELECT 1 WHERE NOT EXISTS (SELECT FROM {self._items} i WHERE {_HERE} AND {_ALIVE})"
            return WriteStatement(write.address, Statement(absent, parameters), conditional=True)
        delete = f"DELETE FROM {self._items} i WHERE {_HERE}"
        if write.expects is ANY:
            return WriteStatement(write.address, Statement(delete, parameters), conditional=False)
        delete = f"{delete} AND {_ALIVE} AND i.revision = %(expects)s RETURNING i.id"
        return WriteStatement(
            write.address, Statement(delete, {**parameters, "expects": write.expects}), conditional=True
        )

    def _put(self, write: Write, row: Row, parameters: dict[str, Any]) -> WriteStatement:
        """A row and its vectors in one statement; those that stay the same cost the index nothing."""
        put = self._update() if isinstance(write.expects, str) else self._upsert(over_living=write.expects is ANY)
        query = f"""
            WITH put AS ({put}),
            gone AS (DELETE FROM {self._vectors} v USING put WHERE v.item = put.id AND v.position >= %(count)s),
            placed AS (
                INSERT INTO {self._vectors} AS v (item, position, embedding)
                SELECT put.id, n, (%(flat)s::float4[])[n * %(dims)s + 1 : (n + 1) * %(dims)s]::vector
                FROM put, generate_series(0, %(count)s - 1) AS n
                ON CONFLICT (item, position) DO UPDATE SET embedding = excluded.embedding
                WHERE v.embedding <> excluded.embedding
            )
            SELECT id FROM put
        """
        count, dims = row.vectors.shape
        vectors = {"count": count, "dims": dims, "flat": row.vectors.reshape(-1)}
        expected = {"expects": write.expects if isinstance(write.expects, str) else None}
        return WriteStatement(
            write.address,
            Statement(query, {**parameters, **_values(row), **expected, **vectors}),
            write.expects is not ANY,
        )

    def _upsert(self, *, over_living: bool) -> str:
        changed = ", ".join(f"{name} = excluded.{name}" for name in (*_CONTENT, "write", "changed"))
        touches = _MERGED.format(new="excluded.touches")
        return f"""
            INSERT INTO {self._items} AS i (namespace, key, touches, {", ".join(_CONTENT)})
            VALUES (%(namespace)s::text[], %(key)s::text, %(touches)s::timestamptz[], {", ".join(_CONTENT.values())})
            ON CONFLICT (namespace, key) DO UPDATE SET {changed}, touches = {touches}
            WHERE {"TRUE" if over_living else "i.expires_at <= %(now)s"} RETURNING i.id
        """

    def _update(self) -> str:
        changed = ", ".join(f"{name} = {value}" for name, value in _CONTENT.items())
        touches = _MERGED.format(new="%(touches)s::timestamptz[]")
        return f"""
            UPDATE {self._items} i SET {changed}, write = DEFAULT, changed = DEFAULT, touches = {touches}
            WHERE {_HERE} AND {_ALIVE} AND i.revision = %(expects)s RETURNING i.id
        """

    def _at(self, addresses: Sequence[Address]) -> str:
        wanted = "unnest(%(namespaces)s::text[], %(keys)s::text[]) AS wanted(namespace, key)"
        return f"{wanted} JOIN {self._items} i ON i.namespace = wanted.namespace::text[] AND i.key = wanted.key"


_FRESH = (
    "{changed} >= pg_snapshot_xmin(%(since)s::pg_snapshot) AND {changed} < pg_snapshot_xmax(pg_current_snapshot())"
    " AND NOT pg_visible_in_snapshot({changed}, %(since)s::pg_snapshot)"
)
_ALIVE = "(i.expires_at IS NULL OR i.expires_at > %(now)s)"
_HERE = "i.namespace = %(namespace)s::text[] AND i.key = %(key)s"
_PAGE = "LIMIT %(limit)s OFFSET %(offset)s"
_NEWEST = "ORDER BY i.updated_at DESC, i.namespace, i.key"
_BEST = "ORDER BY score DESC, i.namespace, i.key"

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
        "digests": list(row.digests),
        "touches": list(row.touches),
        "words": lexemes(row.text),
    }


def _labels(namespace: Namespace) -> list[str]:
    return [encode(label) for label in namespace]


def _at(addresses: Sequence[Address]) -> dict[str, Any]:
    return {
        "namespaces": [array(address.namespace) for address in addresses],
        "keys": [encode(address.key) for address in addresses],
    }


def _scope(prefixes: Sequence[Namespace]) -> tuple[str, dict[str, Any]]:
    """The rows whose namespace starts with a prefix; see the module's docstring."""
    if () in prefixes:
        return "TRUE", {}
    parameters: dict[str, Any] = {}
    ranges = []
    for number, prefix in enumerate(dict.fromkeys(prefixes)):
        *above, last = _labels(prefix)
        parameters[f"from_{number}"] = [*above, last]
        parameters[f"to_{number}"] = [*above, last + "\x01"]
        ranges.append(f"(i.namespace >= %(from_{number})s::text[] AND i.namespace < %(to_{number})s::text[])")
    return f"({' OR '.join(ranges)})" if ranges else "FALSE", parameters


def _pattern(query: NamespaceQuery) -> tuple[str, dict[str, Any]]:
    """Which namespaces have a query's prefix and suffix; the labels before the first wildcard are a scope."""
    literal = query.prefix[: query.prefix.index(WILDCARD)] if WILDCARD in query.prefix else query.prefix
    scope, parameters = _scope([literal])
    parameters["depth_least"] = max(len(query.prefix), len(query.suffix))
    parts = [scope, "cardinality(i.namespace) >= %(depth_least)s"]
    places = [(label, str(n)) for n, label in enumerate(query.prefix, 1)]
    places += [(label, f"cardinality(i.namespace) - {n}") for n, label in enumerate(reversed(query.suffix))]
    for number, (label, place) in enumerate(places):
        if label != WILDCARD:
            parameters[f"label_{number}"] = encode(label)
            parts.append(f"i.namespace[{place}] = %(label_{number})s")
    return " AND ".join(parts), parameters


def _quoted(word: str) -> str:
    """A word as a `tsquery` of itself."""
    escaped = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def found_words(words: Iterable[str]) -> list[str]:
    """Those words, encoded, that a row could hold."""
    return [word for each in dict.fromkeys(words) for word in [encode(each)] if 0 < len(word.encode()) <= _LEXEME_BYTES]
