"""The statements that keep an owner's index in the database, so that the next process need not make it anew.

The table `kept` is derived: it may be emptied at any time. It is unlogged, so that keeping an index costs the
write-ahead log nothing. After a crash of the server it is empty, and a read replica has none of it.

An index is true of a snapshot. Whoever reads it asks what was written and removed since, as every process does
(`Reading.changes`). So a removal costs what it removes, and the index of an owner goes on counting.

The bytes still hold the words of what was removed. A trigger notes that on the index, in the transaction that removes.
Such an index is kept anew without those words by a process that follows the owner, and it is dropped by `forget_lost`,
which runs after an erasure, a purge that somebody asks for, and before the tables are compacted. It counts for half a
day at most: the notes on removed items are dropped after a day.

Two writers could miss each other: one removes a memory and has not committed, the other keeps an index that was made
before. Whoever removes therefore holds a lock that the others share, and whoever keeps an index takes it alone, without
waiting, just before the end, and then looks once more whether anything went.
"""

# ruff: noqa: S608 - what is put into the text is the checked name of the schema and fragments written here

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from langchain_mem.backends.base import Namespace
from langchain_mem.backends.postgres.reading import FRESH
from langchain_mem.backends.postgres.sql import GONE_KEPT, Statement, Tables
from langchain_mem.backends.postgres.text import array

_HOLDS: Final = GONE_KEPT / 2  # how long an index counts after something was removed that it holds
_PART: Final = 32 * 1024**2  # bytes in a row: an index of 10,000 memories is one, and a large one is never held at once


class KeptContent:
    """The statements about what is kept."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._schema, self._kept = tables.schema, tables.kept
        self._scopes = (
            f"ARRAY(SELECT {tables.schema}.scope_of(each::text[]) FROM unnest(%(scopes)s::text[]) AS each ORDER BY 1)"
        )
        # a table that came from a dump tells of transactions that another server counted, or another database
        self._place = (
            f"(SELECT system_identifier FROM pg_catalog.pg_control_system()) || '/' || '{self._kept}'::regclass::oid"
        )

    def put(self, scopes: Sequence[Namespace], name: str, content: bytes, snapshot: str) -> list[Statement]:
        """Keeps bytes in place of those that were kept before.

        The last statement answers with one truth value: whether they may stay. If not, the transaction is to be undone.
        """
        told = {"scopes": [array(scope) for scope in scopes], "name": name, "snapshot": snapshot}
        put = f"""
            INSERT INTO {self._kept} (scopes, name, part, snapshot, place, content)
            VALUES ({self._scopes}, %(name)s, %(part)s, %(snapshot)s, {self._place}, %(content)s)
            ON CONFLICT (scopes, name, part) DO UPDATE SET snapshot = excluded.snapshot, place = excluded.place,
                content = excluded.content, at = DEFAULT, lost = DEFAULT
        """
        parts = [content[start : start + _PART] for start in range(0, len(content), _PART)]
        rest = f"DELETE FROM {self._kept} WHERE scopes = {self._scopes} AND name = %(name)s AND part >= %(parts)s"
        return [
            *(Statement(put, {**told, "part": number, "content": part}) for number, part in enumerate(parts)),
            Statement(rest, {**told, "parts": len(parts)}),
            Statement(f"SELECT pg_try_advisory_xact_lock({self._tables.schema}.kept_lock())"),
            self._whether_all_is_there(told),
        ]

    def _whether_all_is_there(self, told: dict[str, Any]) -> Statement:
        """Whether nothing in the scopes was removed since a snapshot."""
        gone = (
            f"SELECT FROM {self._tables.gone} g"
            f" WHERE g.scope = ANY ({self._scopes}) AND {FRESH.format(changed='g.changed')}"
        )
        parameters = {"scopes": told["scopes"], "since": told["snapshot"]}
        return Statement(f"SELECT NOT EXISTS ({gone})", parameters)

    def get(self, scopes: Sequence[Namespace], name: str) -> Statement:
        """What is kept under a name, in order: the snapshot that it is true of, and a part of the bytes."""
        query = f"""
            SELECT snapshot, content FROM {self._kept}
            WHERE scopes = {self._scopes} AND name = %(name)s AND place = {self._place}
            AND (lost IS NULL OR lost > clock_timestamp() - %(holds)s::interval) ORDER BY part
        """
        return Statement(query, {"scopes": [array(scope) for scope in scopes], "name": name, "holds": _HOLDS})

    def forget(self) -> Statement:
        """Drops everything that is kept."""
        return Statement(f"DELETE FROM {self._kept}")

    def forget_lost(self) -> Statement:
        """Drops what holds anything that was removed, whoever's it is."""
        return Statement(f"SELECT {self._schema}.forget_lost()")

    def forget_old(self) -> Statement:
        """Drops what holds something removed and counts no more, and what nobody has renewed for a month."""
        old = "lost < clock_timestamp() - %(holds)s::interval OR at < now() - interval '30 days'"
        return Statement(f"DELETE FROM {self._kept} WHERE {old}", {"holds": _HOLDS})
