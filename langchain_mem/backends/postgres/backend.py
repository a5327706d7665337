"""Rows in Postgres, for many processes and tenants; vectors by pgvector.

    items     namespace and key, value as jsonb, instants, revision, words for full text
    vectors   one a passage, with an HNSW index for searches that are broad
    gone      which items were removed lately, and `used` which were used, so that other processes follow
    kept      owners' indexes, for processes that start; derived
    meta      the version of the schema, and the embedder that built the store

The statements are in `making`, `reading` and `writing`, connections in `pools`, filters in `where`. This file says
which statement answers what, and finishes with `matches` the filters that SQL cannot decide.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Final

import numpy as np
from numpy.typing import NDArray

from langchain_mem._flow import offload
from langchain_mem.backends.base import (
    Address,
    Embedder,
    Match,
    Namespace,
    NamespaceQuery,
    Query,
    Row,
    Vectors,
    Write,
    check_embedder,
)
from langchain_mem.backends.changes import Changes, Kept
from langchain_mem.backends.postgres.filling import Filling
from langchain_mem.backends.postgres.following import PAGE, Asked, by_pages, floats, in_one, recent
from langchain_mem.backends.postgres.kept import KeptContent
from langchain_mem.backends.postgres.making import Making
from langchain_mem.backends.postgres.pools import Pool, Pools, Session, SqlRow, Work
from langchain_mem.backends.postgres.reading import Reading, Selection, found_words, select
from langchain_mem.backends.postgres.schema import VERSION
from langchain_mem.backends.postgres.sql import MICROSECOND, Statement, Tables, indexed_type
from langchain_mem.backends.postgres.text import decode, loads
from langchain_mem.backends.postgres.writing import Writing
from langchain_mem.backends.waiting import PATIENCE, checked_timeout
from langchain_mem.errors import StoreError
from langchain_mem.filters.conditions import ALWAYS, Path
from langchain_mem.filters.language import matches

EXACT_LIMIT: Final = 5_000
"""Up to about here an exact search is as fast as one by the HNSW index."""

EF_SEARCH: Final = 200
"""How broadly HNSW searches: pgvector's default of 40 finds the right ten of 100,000 noticeably less often."""


class PostgresBackend:
    """Keeps rows in Postgres 14 or later with pgvector 0.8 or later.

    Does what `Backend`, `Scanning`, `Lexical`, `Grouping`, `Touching` and `Compacting` ask. Safe to use from many
    threads, event loops and processes. Vectors of up to 2,000 dimensions are indexed as they are and those of up to
    4,000 with 16-bit floats, to be scored exactly afterwards; longer ones are searched without an index.

    A namespace and a key take up to about 2,600 bytes together, as Postgres has it for what is indexed.

    Args:
        dsn: How to connect, as `postgresql://user:password@host/database`; `None` for what the environment says.
        pool: A psycopg pool to use instead, sync or async; it stays open.
        schema: Where the tables are; several stores can share a database.
        exact: Scopes of up to so many rows are searched exactly, larger ones by the HNSW index.
        before: Makes a statement that comes first in every transaction.
        timeout: For how many seconds a call waits for a connection, and for a server that says nothing; `None` for
            ever. To migrate and to compact may take longer. A pool that was given has its own.
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        pool: Pool | None = None,
        schema: str = "langchain_mem",
        exact: int = EXACT_LIMIT,
        before: Callable[[], Statement] | None = None,
        timeout: float | None = PATIENCE,
    ) -> None:
        self._exact = exact
        self._pools = Pools(dsn, pool, before, checked_timeout(timeout))
        self.tables = Tables(schema)
        self._making, self._reading, self._writing = Making(self.tables), Reading(self.tables), Writing(self.tables)
        self._kept = KeptContent(self.tables)
        self._filling = Filling(self._pools, self._writing)
        self._recorded: Embedder | None = None
        self._dims = 0

    async def setup(self, embedder: Embedder | None) -> Embedder | None:
        """Creates or migrates the tables, one process at a time, and records the embedder.

        Raises:
            EmbeddingMismatch: The store was built with another embedder.
            StoreError: The tables are newer than this package, or the database refuses.
        """
        if not await self._is_ready(embedder):

            async def prepare(session: Session) -> None:
                with session.unhurried():  # others may be migrating, and to migrate takes as long as it does
                    await self._prepare(session, embedder)

            await self._pools.transaction(prepare)
            await self._is_ready(embedder)
        return self._recorded

    async def get(self, addresses: Sequence[Address], now: datetime) -> list[Row | None]:
        """The unexpired rows at these addresses, in order; `None` where there is none."""
        records = await self._pools.read(self._reading.get(addresses, now))
        found = {row.address: row for row in self._rows(records)}
        return [found.get(Address(*address)) for address in addresses]

    async def write(self, batch: Sequence[Write], now: datetime) -> None:
        """Does all of the batch or none of it, in one transaction."""
        statements = self._writing.batch(batch, now)
        if statements:
            await self._pools.whole(*statements)
            self._filling.note(batch)

    async def search(self, query: Query) -> list[Match]:
        """The rows that the query describes, in its order: exactly, or by the HNSW index where the scope is large."""
        selection = select(query)
        vector = query.vector
        if vector is None:

            async def newest(limit: int | None, offset: int) -> list[SqlRow]:
                return await self._pools.read(self._reading.newest(selection, limit, offset))

            return await self._page(query, selection, newest)
        near = await self._is_broad(query)

        async def nearest(limit: int | None, offset: int) -> list[SqlRow]:
            found = await self._near(selection, vector, limit, offset) if near and limit is not None else None
            return found or await self._pools.read(self._reading.nearest(selection, vector, limit, offset))

        return await self._page(query, selection, nearest)

    async def count(self, query: Query) -> int:
        """How many rows the query describes."""
        selection = select(query)
        if selection.exact:
            return int((await self._pools.read(self._reading.count(selection)))[0][0])
        values = await self._pools.read(self._reading.values(selection))
        return sum(matches(query.condition, loads(value)) for (value,) in values)

    async def namespaces(self, query: NamespaceQuery) -> list[Namespace]:
        """The namespaces that the query describes."""
        records = await self._pools.read(self._reading.namespaces(query))
        return [tuple(map(decode, labels)) for (labels,) in records]

    async def refresh(self, addresses: Sequence[Address], now: datetime) -> None:
        """Sets `expires_at` to `now + ttl` for those rows that have a `ttl` and have not expired."""
        await self._pools.transaction(_sends(self._writing.refresh(addresses, now)))

    async def purge(self, now: datetime, limit: int | None = None) -> int:
        """Removes rows that have expired by `now`, at most `limit` of them, and says how many."""
        statements = self._writing.purge(now, limit), *self._writing.forget_gone(), self._kept.forget_old()
        return len((await self._pools.transaction(_sends(*statements)))[0])

    async def close(self) -> None:
        """Closes the pools that this backend opened. A later use opens them again."""
        await offload(self._filling.stop)
        await self._pools.close()

    async def scan(self, prefixes: tuple[Namespace, ...], now: datetime, limit: int) -> list[Row] | None:
        """Every unexpired row in scope with its vectors, in order of address; `None` where there are over `limit`."""
        records = await self._pools.read(self._reading.scan(prefixes, now, limit))
        total = records[0][0]
        if total > limit:
            return None
        return self._rows([record[1:] for record in records]) if total else []

    async def addresses(self, prefixes: tuple[Namespace, ...], now: datetime) -> list[Address]:
        """Where every unexpired row in scope is, in order."""
        records = await self._pools.read(self._reading.addresses(prefixes, now))
        return sorted(Address(tuple(map(decode, labels)), decode(key)) for labels, key in records)

    async def uses_by_day(self, prefixes: tuple[Namespace, ...], now: datetime) -> Mapping[str, int]:
        """How many uses of unexpired rows in scope are on record, by UTC day as ISO text."""
        counted: list[tuple[str, int]] = await self._pools.read(self._reading.uses_by_day(prefixes, now))
        return dict(counted)

    async def stamp(self, prefixes: tuple[Namespace, ...]) -> Hashable:
        """How many rows are in scope, and their writes hashed together."""
        return (await self._pools.read(self._reading.stamp(prefixes)))[0]

    async def changes(
        self, scopes: tuple[Namespace, ...], paths: Sequence[Path], since: Hashable | None, limit: int
    ) -> Changes | None:
        """What was written in these scopes since a stamp, or all there is; `None` where that is over `limit` rows.

        One statement and one row, so that what travels is what changed, and nothing is made for each row but its part
        of one JSON array and of one block of floats. More rows come by pages, so that no answer grows without bound,
        and the server is never silent for as long as reading all of them takes.
        """
        known, began = recent(since), monotonic()
        asked = scopes, known and known.snapshot
        ((*head, told, vectors),) = await self._pools.read(self._reading.changes(*asked, min(limit, PAGE)))
        answer = in_one(head, told, vectors)
        if answer.total > PAGE and limit > PAGE:
            pages = by_pages(self._reading.many_changes(*asked, limit), self._reading, limit)
            answer = await self._pools.transaction(pages, repeatable=True)
        if answer.total > limit:
            return None
        return answer.changes(paths, Asked(answer.snapshot, began), self._dims, whole=known is None)

    async def keep(self, scopes: tuple[Namespace, ...], name: str, content: bytes, stamp: Hashable) -> bool:
        """Keeps something derived; says no where something was removed from its scopes meanwhile."""
        known = recent(stamp)
        if known is None:
            return False
        try:
            await self._pools.transaction(_sends_if_last(*self._kept.put(scopes, name, content, known.snapshot)))
        except _Refused:
            return False
        return True

    async def kept(self, scopes: tuple[Namespace, ...], name: str) -> Kept | None:
        """What was kept; `None` on a read replica, and for a role that may not see it, too."""
        try:
            parts = await self._pools.read(self._kept.get(scopes, name))
        except StoreError:  # what is derived can be made anew, whatever forbids to read it
            return None
        if len({snapshot for snapshot, _ in parts}) != 1:
            return None
        content = parts[0][1] if len(parts) == 1 else bytearray().join(content for _, content in parts)
        return Kept(content, Asked(parts[0][0], monotonic()))

    async def forget_kept(self) -> None:
        """Drops everything that is kept."""
        await self._pools.transaction(_sends(self._kept.forget()))

    async def forget_lost(self) -> None:
        """Drops what is kept and holds anything that was removed."""
        await self._pools.transaction(_sends(self._kept.forget_lost()))

    async def lexical(self, query: Query, words: Sequence[str]) -> list[Match]:
        """The rows that hold at least one of the words, those that hold more and rarer ones first."""
        selection = select(query)
        wanted = found_words(words)
        if not wanted:
            return []

        async def holding(limit: int | None, offset: int) -> list[SqlRow]:
            return await self._pools.read(self._reading.lexical(selection, wanted, limit, offset))

        return await self._page(query, selection, holding)

    async def grouped(self, query: Query, names: Sequence[str]) -> list[Match]:
        """The rows that stand in one of these conversations, in no order."""
        selection = select(replace(query, condition=ALWAYS))
        records = await self._pools.read(self._reading.grouped(selection, names, query.limit))
        return [Match(row, None) for row in self._rows(records)]

    async def touch(self, touches: Mapping[Address, Sequence[datetime]], keep: int) -> None:
        """Adds these instants to the rows' touches and keeps the `keep` newest; absent rows are skipped."""
        if touches:
            await self._pools.whole(self._writing.touch(touches, keep))

    async def compact(self) -> None:
        """Rewrites the tables from what lives; meanwhile nobody reads or writes them.

        The write-ahead log, replicas and backups keep what was deleted for as long as their owner says.
        """
        await self.forget_lost()
        await self._pools.alone(self._making.vacuum())

    async def send(self, *statements: Statement) -> list[list[SqlRow]]:
        """Runs statements in one transaction, for what is built upon this backend, and gives the answer to each."""
        return await self._pools.transaction(_sends(*statements))

    def lock(self) -> Statement:
        """Lets one process at a time change the tables, until its transaction ends."""
        return self._making.lock()

    async def _is_ready(self, embedder: Embedder | None) -> bool:
        """Whether nothing has to be made or recorded: to open a store that exists needs no lock and no rights."""
        if not (await self._pools.read(self._making.has_meta()))[0][0]:
            return False
        version, recorded = _meta(await self._pools.read(self._making.meta()))
        check_embedder(recorded, embedder)
        self._recorded = recorded
        self._dims = recorded.dims if recorded else 0
        return version == VERSION and (recorded is not None or embedder is None)

    async def _prepare(self, session: Session, embedder: Embedder | None) -> None:
        await session.send(self._making.lock())
        if not (await session.send(self._making.has_meta()))[0][0][0]:
            await session.send(*self._making.create_meta())
        version, recorded = _meta((await session.send(self._making.meta()))[0])
        check_embedder(recorded, embedder)
        if version < VERSION:
            await session.send(*self._making.migrate(version))
        if recorded is None and embedder is not None:
            await session.send(*self._making.adopt(embedder))

    async def _is_broad(self, query: Query) -> bool:
        """Whether the HNSW index is the way: there is one, and the scope is large."""
        if query.keys is not None or query.vector is None or not indexed_type(len(query.vector)):
            return False
        scope = select(Query(now=query.now, prefixes=query.prefixes))
        return int((await self._pools.read(self._reading.count(scope, self._exact + 1)))[0][0]) > self._exact

    async def _near(
        self, selection: Selection, vector: NDArray[np.float32], limit: int, offset: int
    ) -> list[SqlRow] | None:
        """A page by the HNSW index; `None` where it gave up before the page was full.

        Several of the nearest vectors may be of one item: then more of them are asked for.
        """
        near = 2 * (offset + limit)
        while True:
            statement = self._reading.near(selection, vector, limit, offset, near)
            _, records = await self._pools.transaction(_sends(self._reading.iterate(EF_SEARCH), statement))
            if len(records) == limit:
                return [record[:-1] for record in records]
            if not records or records[0][-1] < near:
                return None
            near *= 4

    async def _page(
        self, query: Query, selection: Selection, fetch: Callable[[int | None, int], Awaitable[list[SqlRow]]]
    ) -> list[Match]:
        """A page of what `fetch` finds, by limit and offset; where SQL is not exact, of what `matches` leaves of it."""
        if selection.exact or query.limit is None:
            offset = query.offset if selection.exact else 0
            found = self._matches(await fetch(query.limit, offset))
            return found if selection.exact else [each for each in found if _holds(query, each)][query.offset :]
        end = query.offset + query.limit
        size = 2 * end
        while True:
            found = self._matches(await fetch(size, 0))
            kept = [each for each in found if _holds(query, each)]
            if len(kept) >= end or len(found) < size:
                return kept[query.offset : end]
            size *= 4

    def _matches(self, records: Sequence[SqlRow]) -> list[Match]:
        return [Match(row, record[-1]) for row, record in zip(self._rows(records), records, strict=True)]

    def _rows(self, records: Sequence[SqlRow]) -> list[Row]:
        vectors = _vectors([record[10] or b"" for record in records], self._dims)
        return [_row(record, own) for record, own in zip(records, vectors, strict=True)]


def _row(record: SqlRow, vectors: Vectors) -> Row:
    namespace, key, value, created_at, updated_at, revision, expires_at, ttl, digests, touches = record[:10]
    return Row(
        address=Address(tuple(map(decode, namespace)), decode(key)),
        value=loads(value),
        created_at=created_at,
        updated_at=updated_at,
        revision=revision,
        expires_at=expires_at,
        ttl=None if ttl is None else ttl * MICROSECOND,
        vectors=vectors,
        digests=tuple(digests),
        touches=tuple(touches),
    )


class _Refused(Exception):
    """What was just written may not stay."""


def _sends_if_last(*statements: Statement) -> Work[None]:
    """Runs statements, and undoes them all unless both of the last two answer yes."""

    async def work(session: Session) -> None:
        *_, alone, whole = await session.send(*statements)
        if not (alone[0][0] and whole[0][0]):
            raise _Refused

    return work


def _sends(*statements: Statement) -> Work[list[list[SqlRow]]]:
    return lambda session: session.send(*statements)


def _meta(records: list[SqlRow]) -> tuple[int, Embedder | None]:
    version, name, dims = records[0]
    if version > VERSION:
        raise StoreError(f"These tables have version {version}; this package knows {VERSION}. Upgrade langchain-mem.")
    return version, None if name is None else Embedder(decode(name), dims)


def _vectors(sent: Sequence[bytes | memoryview], dims: int) -> list[Vectors]:
    """The vectors of each row, read all at once.

    pgvector sends two 16-bit numbers, of which the first is the dimensions, and then the floats, big-endian.
    """
    joined = b"".join(sent)
    dims = int.from_bytes(joined[:2], "big") or dims
    every = floats(joined, dims)
    ends = np.cumsum([len(each) // (4 * dims + 4) for each in sent], dtype=int).tolist()
    return [every[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _holds(query: Query, match: Match) -> bool:
    return matches(query.condition, match.row.value)
