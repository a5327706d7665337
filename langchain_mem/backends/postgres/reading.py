"""The statements that read rows."""

# ruff: noqa: S608 - what is put into the text is the checked name of the schema and fragments written here

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from langchain_mem.backends.base import GROUP, WILDCARD, Address, Namespace, NamespaceQuery, Query
from langchain_mem.backends.postgres.sql import ALIVE, VECTOR, Statement, Tables, indexed_type, within
from langchain_mem.backends.postgres.text import LEXEME_BYTES, array, encode, literal
from langchain_mem.backends.postgres.where import Compiler

FRESH: Final = (
    "{changed} >= pg_snapshot_xmin(%(since)s::pg_snapshot) AND {changed} < pg_snapshot_xmax(pg_current_snapshot())"
    " AND NOT pg_visible_in_snapshot({changed}, %(since)s::pg_snapshot)"
)
"""What was changed by a transaction that committed after the snapshot `since` was taken."""

_PAGE = "LIMIT %(limit)s OFFSET %(offset)s"
_NEWEST = "ORDER BY i.updated_at DESC, i.namespace, i.key"
_BEST = "ORDER BY score DESC, i.namespace, i.key"
_TOLD = "i.id, i.namespace, i.key, (extract(epoch FROM i.expires_at) * 1000000)::bigint, v.item IS NOT NULL, i.touches"


@dataclass(frozen=True)
class Selection:
    """A query as SQL: which rows of `items AS i`, and whether `matches` has to finish it."""

    where: str
    parameters: Mapping[str, Any]
    exact: bool


def select(query: Query) -> Selection:
    """Which rows a query may return: scope, keys, expiry and condition."""
    compiler = Compiler("i.fields")
    parts = [compiler.compile(query.condition), ALIVE]
    scope, parameters = within(query.prefixes)
    parameters["now"] = query.now
    if query.keys is not None:
        parts.append("i.key = ANY(%(keys)s::text[])")
        parameters["keys"] = sorted(map(encode, query.keys))
    return Selection(" AND ".join([scope, *parts]), parameters | compiler.parameters, compiler.exact)


class Reading:
    """The statements that change nothing."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._columns = (
            "i.namespace, i.key, i.value::text, i.created_at, i.updated_at, i.revision, i.expires_at, i.ttl, i.digests,"
            f" i.touches, (SELECT string_agg(vector_send({VECTOR}), ''::bytea ORDER BY v.position)"
            f" FROM {self._tables.vectors} v WHERE v.item = i.id)"
        )

    def get(self, addresses: Sequence[Address], now: datetime) -> Statement:
        """The unexpired rows at these addresses, in no order."""
        here = self._tables.at(addresses)
        return Statement(f"SELECT {self._columns} FROM {here.query} WHERE {ALIVE}", {**here.parameters, "now": now})

    def newest(self, selection: Selection, limit: int | None, offset: int) -> Statement:
        """The newest rows first: columns and no score."""
        page = f"SELECT i.id FROM {self._tables.items} i WHERE {selection.where} {_NEWEST} {_PAGE}"
        query = f"SELECT {self._columns}, NULL FROM ({page}) page JOIN {self._tables.items} i USING (id) {_NEWEST}"
        return Statement(query, {**selection.parameters, "limit": limit, "offset": offset})

    def grouped(self, selection: Selection, names: Sequence[str], limit: int | None) -> Statement:
        """Rows that stand in one of these conversations, in no order: columns."""
        group = f"i.fields ->> '{GROUP}' = ANY (%(groups)s::text[])"
        page = f"SELECT i.id FROM {self._tables.items} i WHERE {group} AND {selection.where} LIMIT %(limit)s"
        query = f"SELECT {self._columns} FROM ({page}) page JOIN {self._tables.items} i USING (id)"
        return Statement(query, {**selection.parameters, "groups": [encode(name) for name in names], "limit": limit})

    def nearest(self, selection: Selection, vector: NDArray[np.float32], limit: int | None, offset: int) -> Statement:
        """The rows with the greatest cosine, of all in scope: columns and score.

        Vectors are looked up item by item, for a join might read those of everybody.
        """
        query = f"""
            WITH scoped AS MATERIALIZED (
                SELECT i.id, i.namespace, i.key FROM {self._tables.items} i WHERE {selection.where}
            ),
            page AS (
                SELECT i.id, -distance AS score FROM scoped i CROSS JOIN LATERAL (
                    SELECT min({VECTOR} <#> %(vector)s::float4[]::vector) AS distance
                    FROM {self._tables.vectors} v WHERE v.item = i.id
                ) best WHERE distance IS NOT NULL {_BEST} {_PAGE}
            )
            SELECT {self._columns}, score FROM page JOIN {self._tables.items} i USING (id) {_BEST}
        """
        return Statement(query, {**selection.parameters, "vector": vector, "limit": limit, "offset": offset})

    def near(self, selection: Selection, vector: NDArray[np.float32], limit: int, offset: int, near: int) -> Statement:
        """The same by the HNSW index, out of the `near` nearest vectors: columns, score, and how many it found.

        An item counts once, by the best of its vectors, which comes first. Vectors that the index has not taken in are
        few, and all of them are compared.
        """
        kind = indexed_type(len(vector))
        query = f"""
            WITH near AS MATERIALIZED (
                SELECT v.item, v.embedding <#> %(vector)s::float4[]::vector AS distance
                FROM {self._tables.vectors} v JOIN {self._tables.items} i ON i.id = v.item
                WHERE v.embedding IS NOT NULL AND {selection.where}
                ORDER BY v.embedding::{kind} <#> %(vector)s::float4[]::{kind} LIMIT %(near)s
            ),
            fresh AS MATERIALIZED (
                SELECT v.item, v.fresh <#> %(vector)s::float4[]::vector AS distance
                FROM {self._tables.vectors} v JOIN {self._tables.items} i ON i.id = v.item
                WHERE v.embedding IS NULL AND {selection.where}
            ),
            best AS (
                SELECT item, -min(distance) AS score FROM (TABLE near UNION ALL TABLE fresh) either GROUP BY item
            )
            SELECT {self._columns}, score, (SELECT count(*) FROM near)
            FROM best JOIN {self._tables.items} i ON i.id = best.item {_BEST} {_PAGE}
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
                SELECT i.id, i.namespace, i.key, i.words FROM {self._tables.items} i
                WHERE {selection.where} AND i.words @@ %(any)s::tsquery
            ),
            held AS (SELECT i.id, i.namespace, i.key, word FROM found i JOIN wanted ON i.words @@ query),
            rarity AS (SELECT word, ln(1 + (SELECT count(*) FROM found)::float8 / count(*)) AS weight
                FROM held GROUP BY word),
            page AS (
                SELECT i.id, sum(weight ORDER BY word) AS score FROM held i JOIN rarity USING (word)
                GROUP BY i.id, i.namespace, i.key {_BEST} {_PAGE}
            )
            SELECT {self._columns}, score FROM page JOIN {self._tables.items} i USING (id) {_BEST}
        """
        quoted = [_quoted(word) for word in words]
        parameters = {"words": quoted, "any": " | ".join(quoted), "limit": limit, "offset": offset}
        return Statement(query, {**selection.parameters, **parameters})

    def count(self, selection: Selection, limit: int | None = None) -> Statement:
        """How many rows a selection has, counted up to `limit`."""
        rows = f"SELECT FROM {self._tables.items} i WHERE {selection.where} LIMIT %(limit)s"
        return Statement(f"SELECT count(*) FROM ({rows}) counted", {**selection.parameters, "limit": limit})

    def values(self, selection: Selection) -> Statement:
        """The values of a selection, for what only `matches` can count."""
        return Statement(
            f"SELECT i.value::text FROM {self._tables.items} i WHERE {selection.where}", selection.parameters
        )

    def scan(self, prefixes: Sequence[Namespace], now: datetime, limit: int) -> Statement:
        """How many rows are in scope, and unless they are over `limit` their columns, in order of address."""
        scope, parameters = within(prefixes)
        scoped = f"SELECT * FROM {self._tables.items} i WHERE {scope} AND {ALIVE}"
        query = f"""
            SELECT size.total, {self._columns}
            FROM (SELECT count(*) AS total FROM ({scoped} LIMIT %(limit)s + 1) counted) size
            LEFT JOIN ({scoped}) i ON size.total <= %(limit)s ORDER BY i.namespace, i.key
        """
        return Statement(query, {**parameters, "now": now, "limit": limit})

    def addresses(self, prefixes: Sequence[Namespace], now: datetime) -> Statement:
        """The namespace and key of each row in scope, in no order."""
        scope, parameters = within(prefixes)
        text = f"SELECT i.namespace, i.key FROM {self._tables.items} i WHERE {scope} AND {ALIVE}"
        return Statement(text, {**parameters, "now": now})

    def uses_by_day(self, prefixes: Sequence[Namespace], now: datetime) -> Statement:
        """UTC days, as text, and how many uses there were on each."""
        scope, parameters = within(prefixes)
        text = f"""
            SELECT to_char(each AT TIME ZONE 'UTC', 'YYYY-MM-DD'), count(*)
            FROM {self._tables.items} i, unnest(i.touches) each WHERE {scope} AND {ALIVE} GROUP BY 1
        """
        return Statement(text, {**parameters, "now": now})

    def stamp(self, prefixes: Sequence[Namespace]) -> Statement:
        """How many rows are in scope, and their last writes hashed together: out of the index alone."""
        scope, parameters = within(prefixes)
        hashed = "coalesce(bit_xor(hashint8extended(i.write, 0)), 0)"
        return Statement(f"SELECT count(*), {hashed} FROM {self._tables.items} i WHERE {scope}", parameters)

    def changes(self, scopes: Sequence[Namespace], since: str | None, limit: int) -> Statement:
        """What was written in scopes of three labels since a snapshot, in one row.

        Columns: the snapshot now; how many rows there are, up to `limit` + 1; the items that went, and what was used
        (see `used`); the rows as one JSON array, each with its item's number and whether it has a vector; and those
        vectors, one after the other.

        A transaction that was not visible in the old snapshot and is in the new one has committed between them,
        whatever its number: so nothing is missed that began before and ended after, and nobody waits for anybody. A
        number beyond the new snapshot comes from another server, whose dump this is, and says nothing here.
        """
        where, parameters = _changed(scopes, since)
        query = f"""
            WITH found AS MATERIALIZED (
                SELECT i.id, i.namespace, i.key, i.expires_at, i.touches, i.value FROM {self._tables.items} i
                WHERE {where} LIMIT %(limit)s + 1
            ),
            size AS (SELECT count(*) AS total FROM found)
            SELECT pg_current_snapshot()::text, size.total, {self._gone(since)}, {self._used(since)},
                told.rows::text, told.vectors
            FROM size LEFT JOIN LATERAL (
                SELECT json_agg(json_build_array({_TOLD}, i.value) ORDER BY i.id) AS rows,
                    string_agg(vector_send({VECTOR}), ''::bytea ORDER BY i.id) AS vectors
                FROM found i LEFT JOIN {self._tables.vectors} v ON v.item = i.id AND v.position = 0
            ) told ON size.total <= %(limit)s
        """
        return Statement(query, {**parameters, "limit": limit})

    def many_changes(self, scopes: Sequence[Namespace], since: str | None, limit: int) -> list[Statement]:
        """The same for more rows than fit into one answer: two statements, after which `page` reads the rows.

        The first answers as `changes` does in its first four columns. The second opens a cursor. Both must see one
        snapshot, or a use that is recorded between them would be told twice.
        """
        where, parameters = _changed(scopes, since)
        counted = f"SELECT FROM {self._tables.items} i WHERE {where} LIMIT %(limit)s + 1"
        total = f"(SELECT count(*) FROM ({counted}) counted)"
        head = f"SELECT pg_current_snapshot()::text, {total}, {self._gone(since)}, {self._used(since)}"
        rows = f"""
            DECLARE changes NO SCROLL CURSOR FOR
            SELECT json_build_array({_TOLD})::text, i.value::text, vector_send({VECTOR}) FROM {self._tables.items} i
            LEFT JOIN {self._tables.vectors} v ON v.item = i.id AND v.position = 0 WHERE {where}
        """
        return [Statement(head, {**parameters, "limit": limit}), Statement(rows, parameters)]

    def page(self, size: int) -> Statement:
        """The next rows of `many_changes`: each as a JSON array, its value, and its vector."""
        return Statement(f"FETCH {size:d} FROM changes")

    def _gone(self, since: str | None) -> str:
        gone = f"SELECT array_agg(g.item) FROM {self._tables.gone} g WHERE {self._since('g')}"
        return "NULL" if since is None else f"({gone})"

    def _used(self, since: str | None) -> str:
        used = f"SELECT json_agg(json_build_array(u.keep, u.uses))::text FROM {self._tables.used} u"
        return "NULL" if since is None else f"({used} WHERE {self._since('u')})"

    def _since(self, noted: str) -> str:
        """The notes on the scopes that were made since a snapshot."""
        scopes = f"SELECT {self._tables.schema}.scope_of(each::text[]) FROM unnest(%(scopes)s::text[]) AS each"
        return f"{noted}.scope IN ({scopes}) AND {FRESH.format(changed=f'{noted}.changed')}"

    def namespaces(self, query: NamespaceQuery) -> Statement:
        """The namespaces that a query describes, in order."""
        parts, parameters = _pattern(query)
        cut = "i.namespace" if query.max_depth is None else "i.namespace[1:%(depth)s]"
        text = f"""
            SELECT DISTINCT {cut} AS cut FROM {self._tables.items} i
            WHERE {ALIVE} AND {parts} ORDER BY cut {_PAGE}
        """
        page = {"now": query.now, "depth": query.max_depth, "limit": query.limit, "offset": query.offset}
        return Statement(text, {**parameters, **page})


def _changed(scopes: Sequence[Namespace], since: str | None) -> tuple[str, dict[str, Any]]:
    """Which of `items AS i` were written since a snapshot."""
    parameters: dict[str, Any] = {"scopes": literal(map(array, scopes)), "since": since}
    parameters |= {f"scope_{number}": array(scope) for number, scope in enumerate(scopes)}
    here = " OR ".join(f"i.namespace[1:3] = %(scope_{number})s::text[]" for number in range(len(scopes)))
    fresh = "TRUE" if since is None else FRESH.format(changed="i.changed")
    return f"({here}) AND {fresh}", parameters


def _pattern(query: NamespaceQuery) -> tuple[str, dict[str, Any]]:
    """Which namespaces have a query's prefix and suffix; the labels before the first wildcard are a scope."""
    literal = query.prefix[: query.prefix.index(WILDCARD)] if WILDCARD in query.prefix else query.prefix
    scope, parameters = within([literal])
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
    return [word for each in dict.fromkeys(words) for word in [encode(each)] if 0 < len(word.encode()) <= LEXEME_BYTES]
