"""LongTermStore: a LangGraph store over any backend.

    store = LongTermStore.in_memory(index={"dims": 384, "embed": embeddings})
    store.put(("users", "alex"), "diet", {"text": "vegetarian"})
    graph = builder.compile(store=store)

It does what `BaseStore` documents, in the sync and the async form on one object, and a little more: `count`,
`delete_namespace`, an expiry at a given instant, and in filters `$and $or $not $in $nin $contains $icontains $exists`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from langchain_core.embeddings import Embeddings
from langgraph.store.base import (
    NOT_PROVIDED,
    BaseStore,
    IndexConfig,
    NotProvided,
    Op,
    PutOp,
    Result,
    TTLConfig,
    ensure_embeddings,
)
from langgraph.store.base.embed import AEmbeddingsFunc, EmbeddingsFunc

from langchain_mem._flow import arun, run
from langchain_mem.backends.base import Backend, Namespace
from langchain_mem.backends.dictionary import DictionaryBackend
from langchain_mem.backends.encrypted import EncryptedBackend
from langchain_mem.backends.sealing import Encryption
from langchain_mem.backends.waiting import PATIENCE
from langchain_mem.store import operations
from langchain_mem.store.coalescing import Coalescer
from langchain_mem.store.items import Clock, Items, utc_now
from langchain_mem.store.sweeper import Sweeper

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from psycopg_pool import AsyncConnectionPool, ConnectionPool

Embed: TypeAlias = Embeddings | EmbeddingsFunc | AEmbeddingsFunc | str
"""What turns texts into vectors, as LangGraph's `IndexConfig` takes it."""

_SWEEP_MINUTES = 5.0  # between two sweeps, where nobody says otherwise; as LangGraph's stores have it


class LongTermStore(BaseStore):
    """A LangGraph store over a backend.

    `in_memory`, `chroma` and `postgres` open a store, and the constructor takes your own backend. An expired item is
    hidden from every read at once; a sweep only frees its space. The store is a context manager that closes it, and
    entering it is optional.

    Args:
        backend: The backend that keeps the items.
        index: LangGraph's configuration of vectors: `embed`, `dims` and `fields`. If `dims` is not set, it is the
            embedder's own, or is found by embedding one text. If `fields` is not set, the whole value is embedded.
        embed: The same as `embed` of the index. A store without either has no vectors.
        ttl: LangGraph's configuration of the time to live, in minutes.
        embedder_id: The name under which the store records its embedder; by default its class and model.
        encryption: The keys that encrypt values before they reach the backend; see `EncryptedBackend` for what stays
            readable.
        clock: A function that returns the current time.

    Attributes:
        items: What is done with items, for what is built upon a store.
        index_config: What vectors are made of, as LangGraph's stores show it; `None` without vectors.
    """

    supports_ttl = True

    def __init__(
        self,
        backend: Backend,
        *,
        index: IndexConfig | None = None,
        embed: Embed | None = None,
        ttl: TTLConfig | None = None,
        embedder_id: str | None = None,
        encryption: Encryption | None = None,
        clock: Clock = utc_now,
    ) -> None:
        index = index or {}
        embed = index.get("embed") if embed is None else embed
        embeddings = None if embed is None else ensure_embeddings(embed)
        self.index_config: IndexConfig | None = None if embed is None else {**index, "embed": embed}
        self.ttl_config = ttl
        self.items = Items(
            backend if encryption is None else EncryptedBackend(backend, encryption),
            embeddings=embeddings,
            dims=index.get("dims") or getattr(embeddings, "dims", None),
            fields=index.get("fields") or ["$"],
            embedder_id=embedder_id,
            clock=clock,
        )
        self._sweeper = Sweeper(self.items.purge)
        self._coalescer = Coalescer(partial(_abatch, self.items))

    @classmethod
    def in_memory(
        cls,
        *,
        index: IndexConfig | None = None,
        embed: Embed | None = None,
        ttl: TTLConfig | None = None,
        embedder_id: str | None = None,
        encryption: Encryption | None = None,
        clock: Clock = utc_now,
    ) -> LongTermStore:
        """Opens a store that lives as long as the process; without vectors unless an embedder is given."""
        return cls(
            DictionaryBackend(),
            index=index,
            embed=embed,
            ttl=ttl,
            embedder_id=embedder_id,
            encryption=encryption,
            clock=clock,
        )

    @classmethod
    def chroma(
        cls,
        path: str | Path | None = None,
        *,
        client: ClientAPI | None = None,
        collection: str = "langchain_mem",
        index: IndexConfig | None = None,
        embed: Embed | None = None,
        ttl: TTLConfig | None = None,
        embedder_id: str | None = None,
        encryption: Encryption | None = None,
        timeout: float | None = PATIENCE,
        clock: Clock = utc_now,
    ) -> LongTermStore:
        """Opens a store in a folder, or in a Chroma server.

        Args:
            path: The folder, used by one process at a time.
            client: Instead of a folder: a Chroma client, such as an `HttpClient`. Its owner closes it.
            collection: Where in that database the items are.
            index: See the class. Without an embedder, the local one is used.
            embed: See the class.
            ttl: See the class.
            embedder_id: See the class.
            encryption: See the class.
            timeout: For how many seconds a server may be silent before a call fails; `None` for ever. It is set on a
                client that has none, which is what Chroma makes.
            clock: See the class.

        Raises:
            StoreLocked: Another process has the folder open.
        """
        from langchain_mem.backends.chroma.backend import ChromaBackend

        embed = _embedder(index, embed)
        backend = ChromaBackend(path, client=client, collection=collection, timeout=timeout)
        return cls(
            backend, index=index, embed=embed, ttl=ttl, embedder_id=embedder_id, encryption=encryption, clock=clock
        )

    @classmethod
    def postgres(
        cls,
        dsn: str | None = None,
        *,
        pool: ConnectionPool[Any] | AsyncConnectionPool[Any] | None = None,
        schema: str = "langchain_mem",
        row_security: bool | int = False,
        index: IndexConfig | None = None,
        embed: Embed | None = None,
        ttl: TTLConfig | None = None,
        embedder_id: str | None = None,
        encryption: Encryption | None = None,
        timeout: float | None = PATIENCE,
        clock: Clock = utc_now,
    ) -> LongTermStore:
        """Opens a store in Postgres with pgvector. It connects at the first use.

        Args:
            dsn: Where the database is.
            pool: Instead of a DSN: a pool, sync or async. Its owner closes it.
            schema: Where in that database the tables are.
            row_security: Whether Postgres itself keeps owners apart, by policies on the tables and a role that they
                apply to; see `langchain_mem.backends.postgres.row_security`. A number says how many labels of a
                namespace name an owner: 3 in those of `Memory`.
            index: See the class. Without an embedder, the local one is used.
            embed: See the class.
            ttl: See the class.
            embedder_id: See the class.
            encryption: See the class.
            timeout: For how many seconds a call waits for a connection, and for a server that says nothing, before it
                fails; `None` for ever. A pool that was given has its own.
            clock: See the class.

        Raises:
            MissingDependency: psycopg or pgvector is not installed.
        """
        from langchain_mem.backends.postgres.backend import PostgresBackend
        from langchain_mem.backends.postgres.row_security import OwnersApart, setting

        embed = _embedder(index, embed)
        before = setting if row_security else None
        backend: Backend = PostgresBackend(dsn, pool=pool, schema=schema, before=before, timeout=timeout)
        if row_security:
            backend = OwnersApart(backend, schema=schema, depth=3 if row_security is True else row_security)
        return cls(
            backend,
            index=index,
            embed=embed,
            ttl=ttl,
            embedder_id=embedder_id,
            encryption=encryption,
            clock=clock,
        )

    def setup(self) -> None:
        """Makes the place ready. Optional: the first operation does it."""
        run(self.items.ready())

    async def asetup(self) -> None:
        """Makes the place ready. Optional: the first operation does it."""
        await arun(self.items.ready())

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Does several operations; reads see what was there before the writes.

        Args:
            ops: LangGraph's operations. Of several puts to one address the last one counts.

        Returns:
            A result for each operation, in order.

        Raises:
            InvalidNamespaceError: A namespace is empty, has an empty label or one with a period or NUL.
            InvalidRequest: An operation asks for what cannot be; nothing was written.
            FilterError: A filter is wrong; nothing was written.
            StoreError: The backend failed.
        """
        return run(operations.batch(self.items, list(ops), self.items.now()))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Does several operations, the searches concurrently, with what else this tick asks for; see `batch`."""
        return await self._coalescer.ask(list(ops))

    def put(
        self,
        namespace: Namespace,
        key: str,
        value: Mapping[str, Any],
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | NotProvided | None = NOT_PROVIDED,
        expires_at: date | datetime | timedelta | str | None = None,
    ) -> None:
        """Stores or replaces an item.

        Args:
            namespace: Where.
            key: Which, within the namespace.
            value: A JSON object. It is copied.
            index: Paths to index instead of the store's own, or `False` for none.
            ttl: Minutes to live after a write or a refreshing read; `None` for ever; unset: the store's default.
            expires_at: Instead of a `ttl`: from when on it is hidden. See `expiry.to_instant` for what it may be.

        Raises:
            InvalidNamespaceError: The namespace is empty, begins with `langgraph`, or a label is invalid.
            InvalidRequest: The value is not JSON, a `ttl` is not above 0, or it comes together with `expires_at`.
        """
        if expires_at is None:
            super().put(namespace, key, value, index, ttl=ttl)
        else:
            run(operations.put_until(self.items, PutOp(namespace, str(key), value, index), ttl, expires_at))

    async def aput(
        self,
        namespace: Namespace,
        key: str,
        value: Mapping[str, Any],
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | NotProvided | None = NOT_PROVIDED,
        expires_at: date | datetime | timedelta | str | None = None,
    ) -> None:
        """Stores or replaces an item; see `put`."""
        if expires_at is None:
            await super().aput(namespace, key, value, index, ttl=ttl)
        else:
            await arun(operations.put_until(self.items, PutOp(namespace, str(key), value, index), ttl, expires_at))

    def count(
        self,
        namespace_prefix: Namespace = (),
        /,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - as `search` calls it
    ) -> int:
        """How many items there are below a namespace and, with a filter, match it."""
        return run(operations.count(self.items, namespace_prefix, filter))

    async def acount(
        self,
        namespace_prefix: Namespace = (),
        /,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - as `search` calls it
    ) -> int:
        """How many items there are below a namespace and, with a filter, match it."""
        return await arun(operations.count(self.items, namespace_prefix, filter))

    def delete_namespace(self, namespace_prefix: Namespace, /) -> int:
        """Deletes every item in a namespace and below it, a thousand at a time, and says how many.

        Raises:
            InvalidRequest: The namespace is empty: the whole store is not deleted by a missing argument.
        """
        return run(operations.delete_namespace(self.items, namespace_prefix))

    async def adelete_namespace(self, namespace_prefix: Namespace, /) -> int:
        """Deletes every item in a namespace and below it; see `delete_namespace`."""
        return await arun(operations.delete_namespace(self.items, namespace_prefix))

    def rotate_keys(self) -> int:
        """Rewrites what is not encrypted with the key for new rows, and says how many items that were.

        Raises:
            InvalidRequest: The store is not encrypted.
            StoreError: A key is missing, or the backend failed. What was rewritten stays so; it may be repeated.
        """
        return run(operations.rotate_keys(self.items))

    async def arotate_keys(self) -> int:
        """Rewrites what is not encrypted with the key for new rows; see `rotate_keys`."""
        return await arun(operations.rotate_keys(self.items))

    def sweep_ttl(self) -> int:
        """Removes what has expired, and says how many items that were."""
        return run(self.items.purge())

    async def asweep_ttl(self) -> int:
        """Removes what has expired, and says how many items that were."""
        return await arun(self.items.purge())

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> Future[None]:
        """Sweeps on a thread from now on, every so many minutes; unset: as `ttl` says, else every 5.

        Returns:
            Done when the sweeper has stopped; cancelling it stops the sweeper.
        """
        return self._sweeper.start(self._interval(sweep_interval_minutes))

    async def astart_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> asyncio.Task[None]:
        """Sweeps in a task of this event loop from now on; see `start_ttl_sweeper`."""
        return await self._sweeper.astart(self._interval(sweep_interval_minutes))

    def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """Stops the sweeper's thread within so many seconds, and says whether it has."""
        return self._sweeper.stop(timeout)

    async def astop_ttl_sweeper(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - as LangGraph's stores
        """Stops the sweeper's task within so many seconds, and says whether it has."""
        return await self._sweeper.astop(timeout)

    def close(self) -> None:
        """Stops the sweeper and lets go of what the store opened. May be called twice."""
        self._sweeper.stop()
        run(self.items.close())

    async def aclose(self) -> None:
        """Stops the sweeper and lets go of what the store opened. May be called twice."""
        await self._sweeper.astop()
        await asyncio.to_thread(self._sweeper.stop)
        await arun(self.items.close())

    def __enter__(self) -> LongTermStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> LongTermStore:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    def _interval(self, minutes: float | None) -> float:
        configured = (self.ttl_config or {}).get("sweep_interval_minutes")
        return 60 * float(minutes or configured or _SWEEP_MINUTES)


async def _abatch(items: Items, ops: Sequence[Op]) -> list[Result]:
    return await arun(operations.batch(items, ops, items.now()))


def _embedder(index: IndexConfig | None, embed: Embed | None) -> Embed:
    """The embedder that was given, else the local one."""
    given = (index or {}).get("embed") if embed is None else embed
    if given is not None:
        return given
    from langchain_mem.embeddings.local import local_embeddings

    return local_embeddings()
